"""The canvas in an app: frames, keys, mouse, what stays where it was."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from plain_app import PlainApp
from textual.geometry import Region
from trees import chain, node, small_tree

from explorer.tui.themes import ANSI, DARK, LIGHT, NONE, THEMES
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.node_view import NodeView
from explorer.views.tree.model import TreeModel

DOTS = """
                      ●
              ┏━━━━━━━┹───────┐
              ●               ○
  ┌───────┬───┺━━━┓           ⋮2
  ○       ◌       ●⚑
              ┌───┴───┐
              ◐       ◇
"""
CHIPS = """
                                   ●R 93.2%
                     ┏━━━━━━━━━━━━━┹─────────────┐
                     ●L 92.8%                    ○F 92.5%
┌─────────────┬──────┺━━━━━━┓                    ⋮2
○L 92.5%      ◌L2 queued    ●F⚑ 93.4%
                     ┌──────┴──────┐
                     ◐L ━━━───  50 ◇F 100.0%
"""
CARDS = """
                                                                   ● R
                                                                   ┃ CKA  –            root
                                                                   ┃ acc  93.2%
                                                                   ┃ MACs 0.0%    █████████
                                                                   ┃
                                         ┏━━━━━━━━━━━━━━━━━━━━━━━━━┹─────────────────────────┐
                                         ● R.L                                               ○ R.F
                                         ┃ CKA  .9737        kept                            │ CKA  .9565    rejected
                                         ┃ acc  92.8%          █▁                            │ acc  92.5%          █▁
                                         ┃ MACs −7.1%   ████████░                            │ MACs −6.6%   ████████░
                                         ┃                                                   ⋮2
  ┌─────────────────────────┬────────────┺━━━━━━━━━━━━┓
  ○ R.L.L                   ◌ R.L.L2                  ● R.L.F ⚑
    CKA  .9596    rejected    CKA  –          queued  │ CKA  .9931        kept
    acc  92.5%         █▄▁    acc  –                  │ acc  93.4%         ▆▁█
    MACs −15.2%  ████████░    MACs –                  │ MACs −15.0%  ████████░
                                                      │
                                         ┌────────────┴────────────┐
                                         ◐ R.L.F.L                 ◇ R.L.F.F
                                           ━━━━━━━━────────  50%     CKA  1.000  awaits you
                                           acc  –                    acc  100.0%       ▁▁▂█
                                           MACs –                    MACs −21.5%  ███████░░
"""  # noqa: E501
DENSE = """
                   ●
                   ●○
       ┌───────┬───┺━━━┓
       ○       ◌       ●⚑
                   ┌───┴───┐
                   ◐       ◇
"""
SHEETS = """

                 ┏━ ● R ━━━━━━━━━━━━━━━━ root ━┓
                 ┃ the network as it was given ┃
                 ┃ val acc  93.2%              ┃
                 ┃ test acc 92.9%              ┃
                 ┃ MACs     125.49 M     █████ ┃
                 ┃ params   853.00 k           ┃
                 ┃                             ┃
                 ┗━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┛
                                ┃
                                ┃
                                ┃
                ┏━━━━━━━━━━━━━━━┹───────────────┐
 ┏━ ● R.L ★ ━━━━━━━━━━━━ kept ━┓ ┌─ ○ R.F ✓ ──────── rejected ─┐
 ┃ ▬ without block layer1.3    ┃ │ ▮ without 36 filters of 27… │
 ┃ CKA      .9737        ████░ ┃ │ CKA      .9565        ███░░ │
 ┃ val acc  81.3 → 92.8% −0.4  ┃ │ val acc  92.5%        −0.7  │
 ┃ MACs     −7.1%        █████ ┃ │ MACs     −6.6%        █████ │
 ┃ params   779.00 k           ┃ │ out of memory               │
 ┃ latency  0.93× parent       ┃ │                             │
 ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛ └─────────────────────────────┘
"""
AT_LENGTH = {
    "R": NodeView("R", None, "root", "ready", True, metrics={
        "val_accuracy": 93.2, "test_accuracy": 92.9, "macs": 125_486_000, "params": 853_000}),
    "R.L": NodeView("R.L", "R", "layer", "ready", True, removes="layer1.3", metrics={
        "val_accuracy_before": 81.3, "params": 779_000, "macs": 116_600_000,
        "latency_ratio": 0.93}),
    "R.F": NodeView("R.F", "R", "filter", "ready", False,
                    removes="36 filters of 27 convolutions", error="out of memory"),
}  # fmt: skip


class CanvasApp(PlainApp):
    """One canvas, and what it said."""

    def __init__(self, model, theme_name=DARK):
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_name
        self.model = model
        self.said = []

    def compose(self):
        yield TreeCanvas(self.model)

    def on_tree_canvas_selected(self, message):
        self.said.append(message.name)

    def on_tree_canvas_activated(self, message):
        self.said.append(f"open {message.name}")


def drive(play, nodes=None, size=(120, 36)):
    """Runs `play(pilot, canvas)` in an app of its own."""

    async def run():
        app = CanvasApp(TreeModel(small_tree() if nodes is None else nodes))
        async with app.run_test(size=size) as pilot:
            canvas = app.query_one(TreeCanvas)
            canvas.focus()
            await pilot.pause()
            await play(pilot, canvas)

    asyncio.run(run())


def frame(canvas):
    """What is on the screen, as text."""
    lines = [canvas.render_line(y).text.rstrip() for y in range(canvas.size.height)]
    return "\n".join(lines).rstrip() + "\n"


def styles(canvas, y, column):
    """The style of one cell."""
    return next(iter(canvas.render_line(y).crop(column, column + 1))).style


@pytest.mark.parametrize(
    ("size", "zoom", "expected"),
    [
        ((40, 9), 0, DOTS), ((62, 9), 1, CHIPS), ((120, 24), 2, CARDS),
        ((120, 24), None, CARDS), ((62, 9), None, CHIPS), ((40, 6), None, DENSE),
    ],
)  # fmt: skip
def test_frames_at_each_zoom(size, zoom, expected):
    async def play(pilot, canvas):
        canvas.zoom = zoom
        await pilot.pause()
        assert "\n" + frame(canvas) == expected

    drive(play, size=size)


def test_a_few_nodes_are_sheets_where_there_is_room():
    async def play(pilot, canvas):
        canvas.at_length = AT_LENGTH.get
        canvas.set_signs("R.L", ["R.F"])
        await pilot.pause()
        assert "\n" + frame(canvas) == SHEETS

    drive(play, small_tree()[:3], size=(66, 24))


def place(canvas, name):
    """Where a node is on the screen."""
    box = canvas._scene.box(canvas.model.number(name))
    return Region(*box).translate(-canvas.scroll_offset)


def test_keys_follow_the_edges_and_lead_back():
    async def play(pilot, canvas):
        assert canvas.selected == "R.L.F", "the tip of the kept path"
        steps = [
            ("down", "R.L.F.L"), ("l", "R.L.F.F"), ("right", "R.L.F.F"), ("up", "R.L.F"),
            ("j", "R.L.F.F"), ("h", "R.L.F.L"), ("k", "R.L.F"), ("left", "R.L.L2"),
            ("left", "R.L.L"), ("up", "R.L"), ("home", "R"), ("up", "R"), ("left", "R"),
            ("down", "R.L"), ("right", "R.F"), ("down", "R.F"), ("end", "R.L.F"),
        ]  # fmt: skip
        for key, name in steps:
            await pilot.press(key)
            assert canvas.selected == name, key
        await pilot.press("enter")
        await pilot.pause()
        assert canvas.app.said[0] == "R.L.F.L" and canvas.app.said[-1] == "open R.L.F"
        assert len(canvas.app.said) == 14, "a step that goes nowhere says nothing"

    drive(play)


@pytest.mark.parametrize("zoom", [0, 1])
def test_small_siblings_are_walked_to_clicked_and_shown_under_the_cursor(zoom):
    async def play(pilot, canvas):
        canvas.zoom = zoom
        await pilot.pause()
        assert canvas._scene.way != "full"
        canvas.select("R.L")
        await pilot.press("right")
        await pilot.pause()
        assert canvas.selected == "R.F"
        there = place(canvas, "R.F")
        line = canvas.render_line(there.y).crop(there.x, there.right)
        assert any(segment.style.reverse and "○" in segment.text for segment in line)
        await pilot.press("left")
        assert canvas.selected == "R.L"
        at = there.x + line.text.index("○")
        await pilot.click(TreeCanvas, offset=(at, there.y))
        assert canvas.selected == "R.F"
        await pilot.press("up")
        assert canvas.selected == "R"

    drive(play, size=(40, 6))


def test_folding_by_key_and_by_double_click():
    async def play(pilot, canvas):
        await pilot.press("home", "down", "z")
        assert "⋮5" in frame(canvas) and "R.L.F" not in canvas.app.said[-1]
        await pilot.press("z")
        assert "⋮5" not in frame(canvas) and "R.L.F" in frame(canvas)
        await pilot.click(TreeCanvas, offset=place(canvas, "R.F").offset)
        assert canvas.selected == "R.F"
        await pilot.click(TreeCanvas, offset=place(canvas, "R.F").offset, times=2)
        assert "✗L failed" in frame(canvas) and "○F .9100" in frame(canvas)
        await pilot.click(TreeCanvas, offset=(119, 35))
        assert canvas.selected == "R.F", "a click beside the tree changes nothing"

    drive(play)


def test_selecting_a_hidden_node_unfolds_its_way():
    async def play(pilot, canvas):
        canvas.select("R.F.L")
        assert "✗L failed" in frame(canvas) and canvas.selected == "R.F.L"
        with pytest.raises(KeyError):
            canvas.select("R.X")

    drive(play)


def test_an_update_keeps_the_selection_where_it_is_on_the_screen():
    async def play(pilot, canvas):
        canvas.zoom = 2
        canvas.select("R.L.F.F")
        await pilot.pause()
        before = place(canvas, "R.L.F.F")
        running = canvas.model.nodes[canvas.model.number("R.L.F.L")]
        canvas.update_nodes(
            [
                node("R.L.L.L", state="running", running_share=0.1),  # unfolds to the left
                replace(running, running_share=0.9),
            ]
        )
        await pilot.pause()
        assert canvas.selected == "R.L.F.F" and "90%" in frame(canvas)
        assert place(canvas, "R.L.F.F").offset == before.offset and canvas.scroll_offset.x > 0

    drive(play, size=(60, 12))


def test_a_decision_never_hides_the_selected_node():
    async def play(pilot, canvas):
        canvas.select("R.L.F.F")
        for name in ("R.L.F.F", "R.L.F.L", "R.L.F", "R.L"):
            old = canvas.model.nodes[canvas.model.number(name)]
            canvas.update_nodes([replace(old, kept=False, state="ready")])
        assert canvas.selected == "R.L.F.F" and "○ R.L.F.F" in frame(canvas)

    drive(play)


def test_replay_shows_other_trees_and_keeps_the_selection_where_it_can():
    async def play(pilot, canvas):
        canvas.select("R.L")
        canvas.show(TreeModel(small_tree()[:3]))
        assert canvas.selected == "R.L"
        canvas.show(TreeModel(small_tree()[:1]))
        assert canvas.selected == "R"
        canvas.show(TreeModel())
        await pilot.press("up", "down", "z", "plus", "enter", "end", "full_stop")
        assert canvas.selected is None and frame(canvas) == "\n"
        canvas.update_nodes(small_tree())
        await pilot.pause()
        assert canvas.selected == "R" and canvas.app.said[-1] == "R"

    drive(play)


def test_a_filter_highlights_matches_dims_the_rest_and_is_walked():
    async def play(pilot, canvas):
        canvas.set_filter("rejected acc>92")
        await pilot.pause()

        def style(name):
            there = place(canvas, name)
            return styles(canvas, there.y, there.x)

        match, other = style("R.F"), style("R")
        assert match.underline and match.bold and not other.bold
        await pilot.press("full_stop")
        assert canvas.selected == "R.L.L"
        await pilot.press("full_stop")
        assert canvas.selected == "R.F"
        await pilot.press("comma")
        assert canvas.selected == "R.L.L"
        with pytest.raises(ValueError, match="unknown field"):
            canvas.set_filter("accuracy>1")
        canvas.set_filter("")
        assert style("R").bold

    drive(play)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_zooming_and_panning_keep_the_selected_node_in_view_and_f_fits_again(size):
    async def play(pilot, canvas):
        fitted = canvas.zoom
        await pilot.press("end")
        for key in ("plus", "plus", "plus", "minus", "minus", "minus", "equals_sign", "plus"):
            await pilot.press(key)
            await pilot.pause()
            view = place(canvas, canvas.selected)
            assert canvas.size.region.contains_region(view), key
        assert canvas.zoom == 2 and not canvas.fits_itself
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        assert canvas.zoom == 2, "what a person chose stays"
        here = canvas.scroll_offset
        await pilot.press("shift+up", "shift+up", "shift+left")
        assert canvas.scroll_offset.y == max(here.y - 4, 0)
        selected = canvas.selected
        await pilot.press("shift+down", "shift+right")
        assert canvas.selected == selected
        await pilot.press("f")
        assert canvas.zoom == fitted and canvas.fits_itself

    drive(play, nodes=chain(101), size=size)


def test_resizing_keeps_the_selected_node_in_view():
    async def play(pilot, canvas):
        await pilot.press("end")
        for size in ((40, 10), (120, 36), (20, 4), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert canvas.size.region.overlaps(place(canvas, canvas.selected))

    drive(play, nodes=chain(101))


def test_the_space_chooses_the_zoom_until_a_person_does():
    async def play(pilot, canvas):
        seen = []
        for size in ((190, 70), (120, 30), (62, 9), (44, 6), (10, 4)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            seen.append(canvas.zoom)
            if size[0] > 40:
                scene = canvas._scene
                assert scene.fits and canvas.max_scroll_y == canvas.max_scroll_x == 0
        assert seen[:4] == [3, 2, 1, 0]

    drive(play)


def test_signs_follow_a_node_at_every_zoom():
    async def play(pilot, canvas):
        canvas.set_signs("R.L.F", ["R.L.F", "R.F"])
        for zoom in range(4):
            canvas.zoom = zoom
            await pilot.pause()
            line = canvas.strip_at(canvas._scene.box(canvas.model.number("R.L.F")).y, 0, 300).text
            assert "★⚑✓" in line, zoom
        canvas.set_signs(None, [])
        assert "★" not in frame(canvas) and "✓" not in frame(canvas)

    drive(play)


def test_the_way_from_the_root_stays_in_sight_and_is_clicked():
    async def play(pilot, canvas):
        await pilot.press("end")
        await pilot.pause()
        deep = canvas.selected
        first = canvas.render_line(0).text
        assert first.startswith("─ R.F³.L².F ─"), first
        await pilot.click(TreeCanvas, offset=(first.index("F³") + 1, 0))
        assert canvas.selected == "R.F.F.F"
        await pilot.click(TreeCanvas, offset=(40, 0))
        assert canvas.selected in ("R.F.F.F", "R.F.F"), "the line beside the names leads nowhere"
        await pilot.press("home")
        assert not canvas.crumbs()
        canvas.select(deep)
        view = place(canvas, deep)
        assert view.y > 0, "the way does not cover the selected node"

    names = ["R", "R.F", "R.F.F", "R.F.F.F", "R.F.F.F.L", "R.F.F.F.L.L", "R.F.F.F.L.L.F"]
    drive(play, nodes=[node(name, kept=True, acc=90.0) for name in names], size=(60, 4))


def test_a_minimap_comes_with_what_does_not_fit_and_leads_there():
    async def play(pilot, canvas):
        await pilot.press("end")
        await pilot.pause()
        assert canvas._map is not None and canvas.scroll_offset.y > 0
        box = canvas._map.box
        await pilot.click(TreeCanvas, offset=(box.x + 1, box.y))
        assert canvas.scroll_offset.y == 0
        assert canvas.selected != "n0", "looking elsewhere selects nothing"
        await pilot.press("M")
        assert canvas._map is None
        await pilot.press("M")
        assert canvas._map is not None
        canvas.show(TreeModel(small_tree()[:3]))
        await pilot.pause()
        assert canvas._map is None, "all of it is in view"

    drive(play, nodes=chain(301))


def test_ten_thousand_nodes_open_and_are_walked():
    async def play(pilot, canvas):
        assert canvas.selected == canvas.model.nodes[canvas.model.kept_path()[-1]].name
        assert "●" in frame(canvas)
        await pilot.press("home")
        await pilot.press(*["down"] * 20)
        assert canvas.model.nodes[canvas.model.kept_path()[20]].name == canvas.selected
        assert "n" in frame(canvas)
        canvas.zoom = 0
        await pilot.press("end", "up", "left", "right")
        assert canvas.virtual_size.height > 5_000

    drive(play, nodes=chain(10_000))


@pytest.mark.parametrize("theme", [DARK, LIGHT, ANSI, NONE])
def test_without_colours_states_are_told_by_shape_and_weight(theme, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(pilot, canvas):
        canvas.app.theme = theme
        canvas.select("R.L.F.F")
        await pilot.pause()
        assert canvas.app.no_color
        assert "\n" + frame(canvas) == CARDS

        def style(name):
            there = place(canvas, name)
            return styles(canvas, there.y, there.x)

        assert style("R").bold and not style("R.F").bold
        assert style("R.L.F.F").reverse and not style("R.L.F.L").reverse

    drive(play, size=(120, 24))


def test_every_key_can_be_bound_anew():
    bindings = list(TreeCanvas.BINDINGS)
    assert len({binding.id for binding in bindings}) == len(bindings)

    async def play(pilot, canvas):
        canvas.app.set_keymap({"tree.fold": "v"})
        await pilot.press("home", "v")
        assert "⋮9" in frame(canvas)

    drive(play)


def test_hostile_names_are_drawn_harmless():
    nodes = [node("R", kept=True, acc=1.0), node("R.L[/foo]\x1b[31m\u202e層", kept=True)]

    async def play(pilot, canvas):
        for zoom in (0, 1, 2, 3):
            canvas.zoom = zoom
            await pilot.pause()
            shown = frame(canvas)
            assert "\x1b" not in shown and "\u202e" not in shown
        assert "[/foo]" in shown or "…" in shown
        assert canvas.app.export_screenshot()

    drive(play, nodes=nodes)


def test_the_selected_node_shows_whether_keys_go_to_the_tree():
    async def play(pilot, canvas):
        def style():
            there = place(canvas, canvas.selected)
            return styles(canvas, there.y, there.x)

        focused = style()
        canvas.app.set_focus(None)
        await pilot.pause()
        resting = style()
        assert focused.reverse and resting.bgcolor != styles(canvas, 0, 0).bgcolor
        assert (focused.bgcolor, focused.reverse) != (resting.bgcolor, resting.reverse)

    drive(play)


def test_what_is_looked_at_stays_while_the_tree_grows_in_the_same_zoom():
    async def play(pilot, canvas):
        await pilot.press("end")
        await pilot.pause()
        before = place(canvas, canvas.selected)
        tip = canvas.model.nodes[canvas._cursor]
        canvas.update_nodes([node(f"{tip.name}.L"), node(f"{tip.name}.F")])
        await pilot.pause()
        assert place(canvas, tip.name).y == before.y

    names = ["R" + i * ".F" for i in range(40)]
    drive(play, nodes=[node(name, kept=True, acc=90.0) for name in names], size=(60, 14))


def test_the_minimap_never_covers_the_selected_node():
    async def play(pilot, canvas):
        canvas.zoom = 1
        await pilot.pause()
        covered = 0
        for name in [each.name for each in canvas.model.nodes]:
            canvas.select(name)
            shown = place(canvas, name)
            assert not shown.overlaps(Region(*canvas.map_box()))
            covered += shown.overlaps(Region(*canvas._map.box))
        assert covered, "none was ever in its way"

    rows = [["R"]]
    for _ in range(5):
        rows.append([f"{name}.{letter}" for name in rows[-1] for letter in "LF"])
    drive(play, nodes=[node(n, kept=True, acc=90.0) for row in rows for n in row], size=(90, 12))
