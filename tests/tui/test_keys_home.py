"""Esc goes home from everywhere, hjkl move everywhere, and what has the keys is seen."""

from __future__ import annotations

import pytest
from driver import Seat, approved, covers, start
from screens import drive
from textual.widgets import OptionList

from explorer.tui.screens.compare_screen import CompareScreen
from explorer.tui.screens.message_dialogs import ConfirmDialog
from explorer.tui.screens.network_screen import NetworkScreen
from explorer.tui.screens.steering_dialogs import BranchDialog, CandidateDialog
from explorer.tui.widgets.log_pane import LogPane
from explorer.tui.widgets.node_pane import NodePane
from explorer.tui.widgets.pareto_plot import ParetoPlot
from explorer.tui.widgets.ranking_pane import RankingPane
from explorer.tui.widgets.tree_canvas import TreeCanvas

# What leads away from the tree, key by key.
AWAY = [
    ["2"], ["2", "Z"], ["2", "Z", "X"], ["t"], ["t", "2"], ["["], ["p"], ["/", *"kept", "enter"],
    ["t", "/", *"kept", "enter", "[", "2"], ["v"], ["v", "c"], ["c"], ["c", "v"], ["P"], ["?"],
    ["?", *"cka"], ["e"], ["B"], ["A"], ["#"], ["n", *"words"], ["$"], ["C"], ["D"],
    ["ctrl+p"], ["T"], ["tab"], ["3", "tab", "tab"], ["4", "tab", "tab"], ["5", "tab", "tab"],
]  # fmt: skip


def home(seat: Seat) -> bool:
    """Whether the tree has the keys, and shows all of now."""
    canvas = seat.screen.query_one(TreeCanvas)
    return (
        len(seat.app.screen_stack) == 1
        and canvas.has_focus
        and not seat.screen.filter_text
        and seat.state.moment is None
        and not seat.state.playing
    )


@covers("view.home", "dialog.cancel", "network.leave", "compare.leave", "settings.leave")
@pytest.mark.parametrize("size", [(120, 36), pytest.param((80, 24), marks=pytest.mark.slow)])
def test_from_everywhere_a_few_esc_lead_to_the_tree_at_the_same_node(tmp_path, size):
    async def play(seat: Seat):
        for keys in AWAY:
            await seat.select("R.F")
            await seat.press(*keys)
            for _ in range(6):
                if home(seat):
                    break
                await seat.press("escape")
            assert home(seat), f"not at home after {keys}; on the screen:\n{seat.text}"
            if keys != ["p"]:  # which begins where only the root is
                assert seat.state.selected == "R.F", keys
        assert seat.kept() == {"R.F"} and seat.node("R.F").state == "ready"

    start(tmp_path, play, approved, size=size)


def test_a_last_esc_brings_the_selected_node_into_view(tmp_path):
    async def play(seat: Seat):
        canvas = seat.screen.query_one(TreeCanvas)
        await seat.press("+", "+", "home")
        await seat.press(*["shift+down"] * 6)
        away = canvas.scroll_offset
        await seat.press("escape")
        assert canvas.scroll_offset != away and canvas.selected == "R"

    start(tmp_path, play, approved, size=(80, 24))


def focused_sign(seat: Seat) -> str:
    """Which of the panes is seen to have the keys: by shapes and weight, never by colour."""
    strips = seat.app.screen._compositor.render_strips()
    tabs = [s for strip in strips for s in strip if s.text.strip() in ("Pareto", "Node", "Log")]
    marked = [s.text.strip() for s in tabs if s.style.reverse or s.style.underline]
    left = next(line for line in seat.lines if "Tree · " in line)
    return "tree" if "━" in left else marked[0] if marked else ""


@pytest.mark.parametrize("theme", ["pe-none", "pe-ansi"])
@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_what_has_the_keys_is_seen_without_colours(tmp_path, theme, size):
    async def play(seat: Seat):
        seat.app.theme = theme
        await seat.pilot.pause()
        assert focused_sign(seat) == "tree"
        for key, name, kind in (("2", "Pareto", ParetoPlot), ("3", "Node", NodePane),
                                ("5", "Log", LogPane)):  # fmt: skip
            await seat.press(key)
            seat.screen.query_one(kind).focus()
            await seat.pilot.pause()
            assert focused_sign(seat) == name
            await seat.press("escape")
            assert focused_sign(seat) == "tree"
            await seat.press("escape")

    start(tmp_path, play, approved, size=size)


# ------------------------------------------------------------ hjkl


@covers("dialog.up", "dialog.down", "dialog.before", "dialog.after", "dialog.submit")
def test_hjkl_move_in_dialogs_as_arrows_do(tmp_path):
    async def play(seat: Seat):
        await seat.press("e")
        dialog = await seat.dialog(CandidateDialog)
        options = dialog.query_one(OptionList)
        first = options.highlighted
        await seat.press("j", "j", "k")
        assert options.highlighted == first + 1
        await seat.press("l")
        assert dialog.structure.chosen == "filter"
        await seat.press("tab", "tab")
        assert dialog.count.has_focus
        before = dialog.count.number()
        await seat.press("k", "k", "j")
        assert dialog.count.number() == before + 1
        await seat.press("escape", "$")
        commands = (await seat.dialog(type(seat.app.screen))).query_one(OptionList)
        await seat.press("j", "j", "k")
        assert commands.highlighted == 1
        await seat.press("escape", "B")
        dialog = await seat.dialog(BranchDialog)
        await seat.press("l")
        assert dialog.take.chosen == "filter"
        await seat.press("h")
        assert dialog.take.chosen == "layer"
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert seat.kept() == {"R.L"}

    start(tmp_path, play)


def test_h_and_l_go_between_buttons():
    focused = []

    async def play(pilot, app):
        for key in ("h", "l", "h"):
            await pilot.press(key)
            focused.append(app.screen.focused.id)
        await pilot.press("enter")

    app = drive(ConfirmDialog("Drop R.L?", "It is marked.", "Drop"), play)
    assert focused == ["submit", "cancel", "submit"] and app.answer is True


@covers(
    "network.diagram", "network.ranking", "network.difference", "network.up", "network.down",
    "network.before", "network.after", "network.copy",
)  # fmt: skip
def test_the_keys_of_the_network_screen(tmp_path):
    async def play(seat: Seat):
        await seat.press("v")
        screen = await seat.dialog(NetworkScreen)
        pane = screen.query_one("#front")
        await seat.press("j", "j", "k")
        await seat.until(lambda: pane.scroll_offset.y == 1, "one line down")
        await seat.press("r")
        await seat.sees("step by step?")
        await seat.press("h")
        assert screen.first_step < 1_000_000
        await seat.press("l", "c")
        await seat.sees("differ?")
        await seat.press("d")
        await seat.sees("what is left?")
        await seat.press("y")
        assert "blocks" in seat.app.clipboard

    start(tmp_path, play, approved, size=(100, 24))


@covers(
    "compare.networks", "compare.up", "compare.down", "compare.left", "compare.right",
    "compare.copy",
)  # fmt: skip
def test_the_keys_of_the_comparison(tmp_path):
    async def play(seat: Seat):
        await seat.press("c")
        screen = await seat.dialog(CompareScreen)
        table = screen.query_one("DataTable")
        await seat.press("j", "j", "k")
        assert table.scroll_offset.y == 1
        await seat.press("l", "h")
        assert table.scroll_offset.x == 0
        await seat.press("y")
        assert seat.app.clipboard.startswith("\tR")
        await seat.press("v")
        await seat.dialog(NetworkScreen)

    start(tmp_path, play, approved, size=(60, 16))


def test_lists_and_logs_scroll_by_j_and_k(tmp_path):
    async def play(seat: Seat):
        await seat.press("4")
        pane = seat.screen.query_one(RankingPane)
        pane.focus()
        first = pane.selected
        await seat.press("j")
        assert pane.selected != first
        await seat.press("k")
        assert pane.selected == first

    start(tmp_path, play)
