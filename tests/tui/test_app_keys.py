"""Every key of the app: what a person sees, and what the store holds afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from scripted import COVERED, Seat, covers, explore, grown
from textual.events import Key
from textual.widgets import Input, OptionList, TabbedContent

from explorer.tui.keys import KEYS
from explorer.tui.screens.compare_screen import CompareScreen
from explorer.tui.screens.help_screen import HelpScreen
from explorer.tui.screens.input_dialogs import NumberDialog, TextDialog
from explorer.tui.screens.message_dialogs import ConfirmDialog
from explorer.tui.screens.steering_dialogs import BranchDialog, CandidateDialog, ChooseDialog
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.timeline import Timeline
from explorer.tui.widgets.tree_canvas import TreeCanvas


def approved(steering):
    steering.approve(steering.tip())


def start(folder: Path, play, *steps, **options):
    """Opens a tree whose candidates are measured; `steps` decided before."""
    figures = options.get("figures")

    async def begin(seat: Seat):
        await seat.idle()
        await play(seat)

    return explore(folder, begin, model=grown(folder, steps, figures=figures), **options)


# ------------------------------------------------------------ deciding


@covers("decide.approve")
def test_approving_keeps_the_suggested_candidate_and_grows_on(tmp_path):
    async def play(seat):
        await seat.sees("a approve F")
        await seat.press("a")
        await seat.at("R.F")
        await seat.idle()
        assert seat.kept() == {"R.F"} and seat.actors() == ["user"]
        assert {"R.F.L", "R.F.F"} <= seat.ready()
        assert "kept R.F" in seat.app.told
        await seat.sees("●F .9733", "Decide · step 2", "Δ from R.F")

    start(tmp_path, play)


@covers("decide.override")
def test_overriding_keeps_the_other_candidate_and_says_so_in_the_store(tmp_path):
    async def play(seat):
        await seat.press("o")
        await seat.at("R.L")
        await seat.idle()
        assert seat.kept() == {"R.L"}
        decision = seat.store.decision_of(seat.node("R").id)
        assert decision.reason.startswith("overrode R.F") and decision.margin is not None
        await seat.press("home")
        await seat.sees("●L .9565", "○F .9733", "decided by user")

    start(tmp_path, play)


def test_overriding_among_three_candidates_asks_which(tmp_path):
    def third(steering):
        steering.candidate(steering.session.node("R"),
                           {"structure": "layer", "blocks": ["layer1.3"]})  # fmt: skip

    async def play(seat):
        await seat.press("o")
        dialog = await seat.dialog(ChooseDialog)
        await seat.sees("★ R.F", "R.L2")
        options = dialog.query_one(OptionList)
        place = [node["name"] for node in dialog.candidates].index("R.L2")
        await seat.press("space")  # takes the suggested one's mark away, or sets the first's
        marked = {dialog.candidates[i]["name"] for i in dialog.marked}
        options.highlighted = place
        await seat.press("space", "enter")
        await seat.main()
        await seat.idle()
        assert seat.kept() == marked ^ {"R.L2"}

    start(tmp_path, play, third)


@covers("decide.both")
def test_keeping_both_grows_both_branches(tmp_path):
    async def play(seat):
        await seat.press("b")
        await seat.idle()
        assert seat.kept() == {"R.L", "R.F"}
        assert {"R.L.L", "R.L.F", "R.F.L", "R.F.F"} <= seat.ready()
        await seat.sees("●F .9733", "●L .9565")

    start(tmp_path, play)


@covers("decide.auto")
def test_auto_asks_for_a_number_and_decides_that_many(tmp_path):
    async def play(seat):
        await seat.press("A")
        dialog = await seat.dialog(NumberDialog)
        dialog.query_one(Input).value = ""
        await seat.press("2", "enter")
        await seat.main()
        await seat.idle()
        assert seat.actors() == ["cka", "cka"] and len(seat.kept()) == 2
        await seat.until(lambda: seat.state.selected.count(".") == 2, "following to the second")
        assert any("decides 2 by cka" in told for told in seat.app.told)

    start(tmp_path, play)


@covers("history.undo", "history.redo")
def test_undo_takes_the_decision_back_and_redo_makes_it_again(tmp_path):
    async def play(seat):
        await seat.press("u")
        await seat.at("R")
        assert seat.kept() == set() and {"R.F.L", "R.F.F"} <= seat.ready(), "nothing is lost"
        await seat.sees("◌F .9733", "Decide · step 1", "a approve F")
        await seat.press("U")
        await seat.idle()
        assert seat.kept() == {"R.F"}
        await seat.sees("●F .9733")
        await seat.press("U")
        await seat.told("nothing to redo")

    start(tmp_path, play, approved)


@covers("work.pause")
def test_pausing_stops_the_work_and_going_on_ends_it(tmp_path):
    async def play(seat):
        jobs = {"recover R.L", "recover R.F"}
        await seat.until(lambda: jobs <= seat.worker.running.keys(), "the jobs")
        await seat.press("space")
        await seat.sees("‖ paused", "Jobs · paused")
        seat.worker.release()
        await seat.pilot.pause()
        assert seat.node("R.F").state == "running", "it was let go, but stands still"
        await seat.press("space")
        await seat.idle()
        assert {"R.L", "R.F"} <= seat.ready()
        assert "paused" not in "\n".join(seat.lines[:1])

    explore(tmp_path, play, script=lambda worker: worker.hold("recover"))


@covers("work.cancel")
def test_cancelling_ends_the_job_of_the_selected_node_only(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the layer's job")
        work = lambda: seat.state.steering._tasks.keys()  # noqa: E731
        await seat.until(lambda: "R.F" in seat.ready(), "the filter candidate")
        await seat.until(lambda: ("recover", seat.node("R.F").id) not in work(), "its end")
        await seat.select("R.F")
        await seat.press("x")
        await seat.told("R.F has no job to cancel")
        await seat.select("R.L")
        await seat.press("x")
        await seat.told("R.L: cancelled")
        seat.worker.release()
        await seat.idle()
        assert seat.node("R.L").state == "cancelled" and seat.node("R.F").state == "ready"
        await seat.sees("✗L")
        await seat.press("home", "a")
        await seat.idle()
        assert seat.kept() == {"R.F"}, "a cancelled candidate holds up no decision"

    explore(tmp_path, play, script=lambda worker: worker.hold("recover R.L"))


# ------------------------------------------------------------ growing


def test_a_key_right_behind_a_move_acts_where_the_move_led(tmp_path):
    async def play(seat):
        await seat.select("R.F")
        for key in (Key("home", None), Key("B", "B")):  # both before the app gets to run
            seat.app.post_message(key)
        await seat.dialog(BranchDialog)
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert seat.kept() == {"R.L"}, "the root's candidate, not one of R.F"

    start(tmp_path, play)


@covers("grow.candidate")
def test_another_candidate_of_a_persons_choice_stands_beside_the_others(tmp_path):
    async def play(seat):
        await seat.press("e")
        dialog = await seat.dialog(CandidateDialog)
        usual = seat.node("R.L").edit["blocks"][0]
        await seat.press("down", "down")
        wanted = dialog.blocks[dialog.query_one(OptionList).highlighted][0]
        assert wanted != usual
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert seat.node("R.L2").edit == {"structure": "layer", "blocks": [wanted]}
        assert seat.kept() == set()
        await seat.sees("◌L2")
        await seat.press("e")
        dialog = await seat.dialog(CandidateDialog)
        dialog.structure.choose("filter")
        await seat.pilot.pause()
        dialog.count.value = "5"
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert sum(map(len, seat.node("R.F2").edit["filters"].values())) == 5
        assert seat.worker.jobs["propose R"]["wish"]["count"] == 5

    start(tmp_path, play)


@covers("grow.branch")
def test_branching_from_a_rejected_node_keeps_what_was_kept(tmp_path):
    async def play(seat):
        await seat.select("R.L")
        await seat.press("B")
        dialog = await seat.dialog(BranchDialog)
        dialog.take.choose("filter")
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert seat.kept() == {"R.F", "R.L.F"}
        assert "tuned" in seat.node("R.L").phases, "a rejected node is tuned first"
        await seat.press("B")
        dialog = await seat.dialog(BranchDialog)
        dialog.take.choose("both")
        await seat.press("enter")
        await seat.main()

    start(tmp_path, play, approved)


def test_branching_both_ways_keeps_both_candidates(tmp_path):
    async def play(seat):
        await seat.select("R.L")
        await seat.press("B")
        dialog = await seat.dialog(BranchDialog)
        dialog.take.choose("both")
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert seat.kept() == {"R.F", "R.L.L", "R.L.F"}

    start(tmp_path, play, approved)


def test_branching_while_the_past_is_shown_returns_to_now_and_branches(tmp_path):
    async def play(seat):
        await seat.press("[", "[")
        await seat.until(lambda: seat.state.moment is not None, "the past")
        await seat.select("R")
        await seat.press("B")
        dialog = await seat.dialog(BranchDialog)
        assert seat.state.moment is None
        dialog.take.choose("layer")
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert seat.kept() == {"R.F", "R.L"}

    start(tmp_path, play, approved)


@covers("grow.on")
def test_growing_on_makes_the_candidates_of_any_node(tmp_path):
    async def play(seat):
        await seat.select("R.L")
        await seat.press("g")
        await seat.idle()
        assert {"R.L.L", "R.L.F"} <= seat.ready() and seat.kept() == {"R.F"}
        await seat.sees("Δ from R.L")

    start(tmp_path, play, approved)


# ------------------------------------------------------------ nodes


@covers("node.drop")
def test_dropping_asks_and_can_be_taken_back(tmp_path):
    async def play(seat):
        await seat.press("D")
        await seat.dialog(ConfirmDialog)
        await seat.sees("Drop R.F?", "2 nodes below it", "Nothing is deleted")
        await seat.press("escape")
        await seat.main()
        dropped = lambda: seat.store.annotations(1)  # noqa: E731
        assert not dropped()
        await seat.press("D")
        await seat.dialog(ConfirmDialog)
        await seat.press("y")
        await seat.main()
        await seat.until(lambda: any(a.dropped for a in dropped().values()), "the drop")
        assert len(seat.nodes()) == 5
        await seat.press("D")
        await seat.told("R.F is back")
        assert not any(a.dropped for a in dropped().values())

    start(tmp_path, play, approved)


@covers("node.mark", "node.compare")
def test_marked_nodes_are_compared_and_unmarked_a_node_with_its_siblings(tmp_path):
    async def play(seat):
        await seat.press("c")
        await seat.dialog(CompareScreen)
        await seat.sees("Compare 3 nodes", "R.L", "▲")
        await seat.press("escape")
        await seat.main()
        await seat.press("m", "down", "m")
        await seat.until(lambda: len(seat.state.marked) == 2, "two marks")
        await seat.press("c")
        await seat.dialog(CompareScreen)
        await seat.sees("Compare 2 nodes", "CKA to parent", "layer1 blocks")
        await seat.press("escape")
        await seat.main()
        await seat.press("m", "home", "c")
        await seat.told("mark two nodes")

    start(tmp_path, play, approved)


@covers("node.tag", "node.note")
def test_tags_and_notes_are_stored_and_shown(tmp_path):
    async def play(seat):
        await seat.press("#")
        await seat.dialog(TextDialog)
        await seat.press(*"best", "enter")
        await seat.main()
        await seat.press("n")
        await seat.dialog(TextDialog)
        await seat.press(*"small", "enter")
        await seat.main()
        said = seat.store.annotations(1)[seat.node("R.F").id]
        assert said.tags == ("best",) and said.note == "small"
        await seat.press("3")
        await seat.sees("●⚑F", "⚑best", "small")
        await seat.press("#")
        await seat.dialog(TextDialog)
        await seat.press(*"best", "enter")
        await seat.main()
        await seat.until(
            lambda: not seat.store.annotations(1)[seat.node("R.F").id].tags, "the tag to go"
        )

    start(tmp_path, play, approved)


@covers("node.copy")
def test_copying_puts_the_name_and_the_figures_on_the_clipboard(tmp_path):
    async def play(seat):
        await seat.select("R.L")
        await seat.press("y")
        assert seat.app.clipboard == "R.L  CKA 0.9565  val % 92.80  MACs −% 3.75"

    start(tmp_path, play)


# ------------------------------------------------------------ replay


@covers("replay.back", "replay.forward", "replay.first", "replay.last")
def test_the_past_is_walked_through_and_changes_nothing(tmp_path):
    async def play(seat):
        before = seat.kept()
        await seat.press("{")
        await seat.sees("◀ past", " 1/", "07:00:00  opened resnet56-1")
        assert set(seat.state.shown) == {"R"}
        await seat.press("]")
        await seat.sees(" 2/")
        assert set(seat.state.shown) == {"R", "R.L", "R.F"}
        await seat.press("a")
        await seat.told("you are looking at the past")
        await seat.press("[")
        await seat.sees(" 1/")
        await seat.press("}")
        await seat.until(lambda: seat.state.moment is None, "now")
        await seat.pilot.pause()
        assert not seat.app.query_one(Timeline).display and len(seat.state.shown) == 5
        assert seat.kept() == before == {"R.F"}

    start(tmp_path, play, approved)


@covers("replay.play")
def test_playing_runs_to_now_by_itself_and_stops_there(tmp_path):
    async def play(seat):
        await seat.press("p")
        await seat.until(lambda: seat.state.moment is not None, "the past")
        await seat.until(lambda: seat.state.moment is None, "now")
        await seat.until(lambda: not seat.state.playing, "the end of playing")
        assert len(seat.state.shown) == 5
        await seat.press("p")
        await seat.until(lambda: seat.state.moment is not None, "the past again")
        await seat.press("p")
        assert not seat.state.playing

    start(tmp_path, play, approved)


# ------------------------------------------------------------ view


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
        await seat.press("f")
        await seat.told("stays where you are")
        seat.app.context.run_or_notify(lambda: seat.state.steering.let_decide(1))
        await seat.idle()
        assert seat.state.selected == "R" and seat.kept() == {"R.F"}
        await seat.press("f")
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


@covers("app.quit")
def test_quitting_an_idle_app_asks_nothing_and_frees_the_store(tmp_path):
    async def play(seat):
        await seat.press("q")
        await seat.until(lambda: not seat.app.is_running or seat.app._exit, "the end")

    app = start(tmp_path, play)
    assert app.return_code == 0 and app.worker.ended == "closed"
    start(tmp_path, play)  # the store opens again


# ------------------------------------------------------------ the tree


@covers("tree.parent", "tree.child", "tree.left", "tree.right", "tree.root", "tree.tip")
def test_arrows_and_letters_walk_the_tree_and_the_card_goes_along(tmp_path):
    async def play(seat):
        for up, down, left, right in (("up", "down", "left", "right"), "kjhl"):
            await seat.press("home")
            await seat.at("R")
            await seat.sees("Δ from R ")
            await seat.press(down)
            await seat.at("R.F")
            await seat.sees("Δ from R.F")
            await seat.press(right)
            await seat.at("R.L")
            await seat.sees("Δ from R ")
            await seat.press(left)
            await seat.at("R.F")
            await seat.press(up)
            await seat.at("R")
        await seat.press("end")
        await seat.at("R.F")

    start(tmp_path, play, approved)


@covers("tree.zoom_in", "tree.zoom_out", "tree.fold", "tree.pan_left", "tree.pan_right",
        "tree.pan_up", "tree.pan_down")  # fmt: skip
def test_zooming_folding_and_panning_change_the_picture_only(tmp_path):
    async def play(seat):
        canvas = seat.app.query_one(TreeCanvas)
        await seat.press("+")
        await seat.sees("CKA  .9733")
        await seat.press("shift+down", "shift+right")
        await seat.press("shift+up", "shift+left")
        await seat.press("-", "-")
        assert canvas.zoom == 0
        await seat.press("home", "z")
        await seat.sees("⋮4")
        assert seat.state.selected == "R" and len(seat.nodes()) == 5

    start(tmp_path, play, approved)


@covers("tree.activate")
def test_enter_opens_all_that_is_known_of_the_node(tmp_path):
    async def play(seat):
        await seat.press("enter")
        await seat.until(lambda: seat.app.query_one(TabbedContent).active == "node", "the tab")
        await seat.sees("structure   filter", "kept by user")

    start(tmp_path, play, approved)


def test_a_click_selects_a_node(tmp_path):
    async def play(seat):
        row = next(y for y, line in enumerate(seat.lines) if "◌L .9565" in line)
        column = seat.lines[row].index("◌L .9565")
        await seat.pilot.click(offset=(column + 2, row))
        await seat.at("R.L")

    start(tmp_path, play)


def test_every_key_of_the_table_has_a_test():
    assert {key.id for key in KEYS} == COVERED
