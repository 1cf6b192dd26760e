"""The keys and the mouse of the Pareto plot: what a person sees, and what is selected then."""

from __future__ import annotations

from driver import approved, covers, explore, grown, start

from explorer.tui.screens.plot_screen import PlotScreen
from explorer.tui.widgets.pareto_plot import ParetoPlot
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.published.files import shipped

STEPS = (approved, approved)


def plot_of(seat) -> ParetoPlot:
    return seat.app.screen.query_one(ParetoPlot)


async def opened(seat) -> ParetoPlot:
    """The plot, once `2` has given it the focus."""
    await seat.press("2")
    plot = plot_of(seat)
    await seat.until(lambda: plot.has_focus and plot.view.points, "the plot")
    return plot


def named(plot) -> str:
    return plot.point.name if plot.point else ""


@covers("plot.left", "plot.right", "plot.up", "plot.down", "plot.select")
def test_arrows_go_from_point_to_point_and_enter_selects_in_the_tree(tmp_path):
    async def play(seat):
        plot = await opened(seat)
        await seat.press("Y", "Y")
        await seat.until(lambda: plot.view.y.key == "val", "validation accuracy")
        await seat.select("R")
        await seat.until(lambda: named(plot) == "R", "the cursor where the tree stands")
        await seat.press("right")
        first = named(plot)
        assert first != "R" and seat.state.selected == "R", "the cursor only looks"
        await seat.sees(f"{first} · ")
        await seat.press("enter")
        await seat.at(first)
        assert seat.app.query_one(TreeCanvas).selected == first
        seen = {first}
        for key in ("up", "down", "l", "k", "j", "l", "up", "l", "down", "h", "left"):
            await seat.press(key)
            seen.add(named(plot))
        assert {"R.F", "R.L"} <= seen

    start(tmp_path, play, *STEPS)


@covers("plot.first", "plot.last", "plot.next", "plot.previous")
def test_home_end_and_the_points_between_are_those_of_the_frontier(tmp_path):
    async def play(seat):
        plot = await opened(seat)
        members = [plot.view.points[i].name for i in plot.view.frontiers["own"]]
        assert len(members) > 1
        await seat.press("end")
        assert named(plot) == members[-1]
        await seat.press(".")
        assert named(plot) == members[-1], "there is nothing behind it"
        await seat.press(",")
        assert named(plot) == members[-2]
        await seat.press("home")
        assert named(plot) == members[0]
        await seat.press(".")
        assert named(plot) == members[1]

    start(tmp_path, play, *STEPS)


@covers("plot.x", "plot.y", "plot.published")
def test_axes_and_published_results_are_chosen_and_remembered(tmp_path):
    async def play(seat):
        plot = await opened(seat)
        assert plot.view.counts["primary"] == 56 and plot.view.y.key == "test-change"
        await seat.press("r")
        await seat.until(lambda: sum(plot.view.counts.get(k, 0) for k in
                                     ("primary", "rerun", "quoted")) == 135, "all")  # fmt: skip
        await seat.sees("r all")
        await seat.press("r")
        await seat.until(lambda: not any(p.result for p in plot.view.points), "none")
        axes = []
        for _ in range(5):
            await seat.press("X")
            axes.append(plot.view.x.key)
        assert axes == ["params", "latency", "epochs", "depth", "macs"]
        await seat.press("X", "Y")
        await seat.until(
            lambda: (plot.view.x.key, plot.view.y.key) == ("params", "val-change"), "axes"
        )
        await seat.press("r")
        await seat.until(lambda: plot.view.y.key == "test-change", "where they can stand")
        assert plot.view.x.key == "params" and plot.view.counts["primary"]

    start(tmp_path, play, *STEPS)

    async def later(seat):
        plot = await opened(seat)
        assert (plot.view.x.key, plot.view.choice.published) == ("params", "primary")

    start(tmp_path, later, *STEPS)


@covers("plot.full")
def test_full_screen_has_the_frontier_beside_and_the_same_selection(tmp_path):
    async def play(seat):
        await opened(seat)
        await seat.press("Z")
        await seat.dialog(PlotScreen)
        await seat.sees("what does removing cost?", "Frontier: yours", "Frontier: ▲ primary")
        full = plot_of(seat)
        assert full.has_focus
        await seat.press("Y", "home", "enter")
        first = named(full)
        await seat.at(first)
        assert full.view.y.key == "test"
        await seat.press("Z")
        await seat.main()
        assert plot_of(seat).view.y.key == "test", "the pane beside the tree shows the same"
        await seat.press("Z")
        await seat.dialog(PlotScreen)
        await seat.press("escape")
        await seat.main()
        await seat.until(lambda: plot_of(seat).has_focus, "the plot again")
        await seat.press("escape")
        await seat.until(lambda: seat.app.query_one(TreeCanvas).has_focus, "the tree")

    start(tmp_path, play, *STEPS, size=(200, 55))


@covers("plot.save")
def test_the_plot_is_saved_as_a_picture_and_none_is_overwritten(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    async def play(seat):
        await opened(seat)
        await seat.press("s")
        await seat.told("resnet56-pareto.svg")
        await seat.press("s")
        await seat.told("resnet56-pareto-2.svg")
        (drawn, again) = sorted((tmp_path / "here").glob("*.svg"))
        assert drawn.read_text() == again.read_text()
        assert "published, primary (56)" in drawn.read_text()

    start(tmp_path, play, *STEPS)


def test_the_keys_go_back_to_the_tree_when_the_plot_does(tmp_path):
    async def play(seat):
        tree = seat.app.query_one(TreeCanvas)
        await opened(seat)
        await seat.press("3")
        await seat.until(lambda: tree.has_focus, "the tree again")
        await seat.pilot.resize_terminal(80, 24)
        await opened(seat)
        await seat.press("2")
        await seat.until(lambda: tree.has_focus, "the card in the plot's place")

    start(tmp_path, play, *STEPS)


def test_the_mouse_looks_and_selects(tmp_path):
    async def play(seat):
        plot = await opened(seat)
        places = plot._build().chart.places
        number = next(i for i, p in enumerate(plot.view.points) if p.node == "R")
        column, row = places[number]
        offset = (column, row + len(plot._build().head))
        await seat.pilot.hover(plot, offset=offset)
        await seat.sees("● R · kept")
        assert seat.state.selected != "R"
        await seat.pilot.click(plot, offset=offset)
        await seat.at("R")
        primary = max((p for p in plot.view.points if p.result), key=lambda p: p.y)
        column, row = places[plot.view.points.index(primary)]
        await seat.pilot.click(plot, offset=(column, row + len(plot._build().head)))
        await seat.sees(f"▲ {primary.name[:20]}")
        assert seat.state.selected == "R", "a published result is no node"
        await seat.press("enter")
        await seat.told("no node of this tree")

    start(tmp_path, play, *STEPS, size=(200, 55))


def test_a_node_that_is_not_drawn_is_named_with_the_reason(tmp_path):
    async def play(seat):
        await opened(seat)
        await seat.select("R.L")
        await seat.sees("R.L is not drawn: no change of test accuracy")

    start(tmp_path, play, *STEPS)


def test_where_nothing_is_published_the_key_says_how_to_add_some(tmp_path):
    async def play(seat):
        await seat.idle()
        plot = await opened(seat)
        await seat.press("r")
        await seat.told("published add FILE")
        assert plot.view.y.key == "val"

    explore(tmp_path, play, model=grown(tmp_path, [approved], overrides={"data": "cifar100"}))


def test_what_others_wrote_can_do_no_harm(tmp_path, monkeypatch):
    from dataclasses import replace

    from driver import HOSTILE

    bad = replace(shipped()[0], method=HOSTILE, source=HOSTILE, note=HOSTILE, network="resnet56",
                  delta_accuracy=9.0, macs_reduction=99.0, kind="primary")  # fmt: skip
    monkeypatch.setattr("explorer.views.published.fitting.all_results", lambda: ((bad,), ()))

    async def play(seat):
        plot = await opened(seat)
        for _ in range(8):
            await seat.press("right")
        assert plot.point.result is bad
        await seat.press("Z")
        await seat.dialog(PlotScreen)
        assert "\x1b" not in seat.text and "\x9b" not in seat.text and "\u202e" not in seat.text

    start(tmp_path, play, *STEPS, size=(200, 55))
