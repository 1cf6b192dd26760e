"""Seeing, help and leaving, key by key: what a person sees, and what the store holds afterwards."""

from __future__ import annotations

import json

from driver import approved, covers, start
from textual.widgets import TabbedContent

from explorer.session.budget import Budget
from explorer.tui.screens.help_screen import HelpScreen
from explorer.tui.screens.input_dialogs import TextDialog
from explorer.tui.themes import LIGHT
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.tree_canvas import TreeCanvas


@covers("view.table", "table.sort", "table.reverse", "table.down", "table.up", "table.first",
        "table.last")  # fmt: skip
def test_the_table_shows_the_same_nodes_sorts_and_walks(tmp_path):
    async def play(seat):
        await seat.press("t")
        table = seat.app.query_one(NodeTable)
        await seat.until(lambda: table.has_focus, "the table")
        await seat.at("R.F")
        await seat.press("home")
        await seat.at("R")
        await seat.press("j")
        second = seat.state.selected
        assert second != "R"
        await seat.press("k")
        await seat.at("R")
        await seat.press("end")
        await seat.until(lambda: seat.state.selected not in ("R", second), "the last row")
        sortings = set()
        for key in "ssS":
            await seat.press(key)
            sortings.add("\n".join(seat.lines[2:9]))
        assert len(sortings) == 3
        await seat.press("t")
        await seat.until(lambda: seat.app.query_one(TreeCanvas).has_focus, "the tree")
        assert seat.app.query_one(TreeCanvas).selected == seat.state.selected

    start(tmp_path, play, approved)


@covers("view.search", "tree.next_match", "tree.previous_match")
def test_a_search_counts_and_walks_its_matches(tmp_path):
    async def play(seat):
        await seat.press("/")
        await seat.dialog(TextDialog)
        await seat.press(*"acc>", "enter")
        assert isinstance(seat.app.screen, TextDialog), "half a filter is told, not taken"
        await seat.press(*"93 kept", "enter")
        await seat.main()
        await seat.told("2 nodes match")
        await seat.press("home", ".")
        await seat.at("R.F")
        await seat.press(",")
        await seat.at("R")

    start(tmp_path, play, approved)


@covers("view.tab1", "view.tab2", "view.tab3", "view.tab4", "view.tab5")
def test_each_tab_comes_by_its_number_and_shows_what_it_should(tmp_path):
    async def play(seat):
        tabs = seat.app.query_one(TabbedContent)
        for key, name, part in (
            ("1", "live", "loss"),
            ("2", "pareto", "MACs"),
            ("3", "node", "structure"),
            ("4", "blocks", "layer1"),
            ("5", "log", "user"),
        ):
            if key == "5":
                await seat.press("a")
                await seat.idle()
                part = "R → R.F kept"
            await seat.press(key)
            await seat.until(lambda name=name: tabs.active == name, name)
            await seat.sees(part)

    start(tmp_path, play)


@covers("view.follow")
def test_without_following_the_selection_stays(tmp_path):
    async def play(seat):
        await seat.press("F")
        await seat.told("stays where you are")
        seat.app.context.run_or_notify(
            lambda: seat.state.steering.let_decide(Budget(decisions=1), seat.node("R"))
        )
        await seat.idle()
        assert seat.state.selected == "R" and seat.kept() == {"R.F"}
        await seat.press("F")
        await seat.told("follows the decisions")

    start(tmp_path, play)


@covers("view.narrower", "view.wider")
def test_the_border_moves_and_is_remembered(tmp_path):
    async def play(seat):
        right = seat.app.query_one("#right")
        await seat.until(lambda: right.size.width == 54, "45 % of the width")
        await seat.press("<", "<")
        await seat.until(lambda: right.size.width == 63, "53 % of the width")
        await seat.press(">")
        await seat.until(lambda: right.size.width == 58, "49 % of the width")

    start(tmp_path, play)
    assert json.loads((tmp_path / "state.json").read_text())["sizes"] == {"right": 49}

    async def later(seat):
        assert seat.screen.right_percent == 49

    start(tmp_path, later)


@covers("view.screenshot")
def test_a_screenshot_lands_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def play(seat):
        await seat.sees("a approve F")
        await seat.press("w")
        await seat.told("saved")
        (picture,) = tmp_path.glob("*.svg")
        assert "approve" in picture.read_text()

    start(tmp_path, play)


# ------------------------------------------------------------ the app itself


@covers("app.help", "app.palette")
def test_help_and_palette_open_and_the_palette_runs_an_action(tmp_path):
    async def play(seat):
        await seat.press("?")
        await seat.dialog(HelpScreen)
        await seat.sees("Keep the candidate that is suggested")
        await seat.press("escape")
        await seat.main()
        await seat.press("ctrl+p", *"keep both")
        await seat.sees("Keep both candidates")
        await seat.press("enter")
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        await seat.until(lambda: seat.kept() == {"R.L", "R.F"}, "both kept")

    start(tmp_path, play)


@covers("app.palette")
def test_the_palette_finds_nodes_settings_and_themes_too(tmp_path):
    async def play(seat):
        await seat.press("ctrl+p", *"r.f")
        await seat.sees("Go to R.F")
        await seat.press("enter", "enter")
        await seat.main()
        await seat.at("R.F")
        await seat.press("ctrl+p", *"theme light")
        await seat.sees("Theme: light")
        await seat.press("enter", "enter")
        await seat.main()
        await seat.until(lambda: seat.app.theme == LIGHT, "the light theme")
        await seat.press("ctrl+p", *"recovery-ep")
        await seat.sees("Setting: recovery-epochs  10")

    start(tmp_path, play)


@covers("app.suspend")
def test_where_no_shell_is_ctrl_z_says_so_and_work_goes_on(tmp_path):
    async def play(seat):
        seat.worker.hold("tune R.F")
        await seat.press("a")
        await seat.until(lambda: "tune R.F" in seat.worker.running, "the tuning")
        await seat.press("ctrl+z")
        await seat.told("this terminal has no shell to go to")
        assert not seat.worker.paused
        seat.worker.release()
        await seat.idle()

    start(tmp_path, play)


@covers("app.quit")
def test_quitting_an_idle_app_asks_nothing_and_frees_the_store(tmp_path):
    async def play(seat):
        await seat.press("q")
        await seat.until(lambda: not seat.app.is_running or seat.app._exit, "the end")

    app = start(tmp_path, play)
    assert app.return_code == 0 and app.worker.ended == "closed"
    start(tmp_path, play)  # the store opens again
