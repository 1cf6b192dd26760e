"""Growing, key by key: what a person sees, and what the store holds afterwards."""

from __future__ import annotations

from driver import approved, covers, start
from textual.events import Key
from textual.widgets import OptionList

from explorer.tui.screens.steering_dialogs import BranchDialog, CandidateDialog


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
        await seat.sees("◇L2")
        await seat.press("e")
        dialog = await seat.dialog(CandidateDialog)
        dialog.structure.choose("filter")
        await seat.pilot.pause()
        dialog.count.value = "5"
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert sum(map(len, seat.node("R.F2").edit["filters"].values())) == 5
        assert seat.worker.jobs["propose R"].job.request.count == 5

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
