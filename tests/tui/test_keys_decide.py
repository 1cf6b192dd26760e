"""Deciding, key by key: what a person sees, and what the store holds afterwards."""

from __future__ import annotations

from driver import approved, covers, explore, start
from textual.widgets import Input, OptionList

from engine.contracts.requests import CandidateRequest, RemoveBlocks
from explorer.session.background import Work
from explorer.tui.screens.alone_dialog import AloneDialog
from explorer.tui.screens.steering_dialogs import ChooseDialog


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
        await seat.sees("●F★ .9733", "R.F · which to keep?", "step 2 · Δ from R.F")

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
        await seat.sees("●L★ .9565", "○F .9733", "You kept the layer candidate")

    start(tmp_path, play)


def test_overriding_among_three_candidates_asks_which(tmp_path):
    def third(steering):
        request = CandidateRequest(RemoveBlocks(("layer1.3",)))
        steering.candidate(steering.session.node("R"), request)

    async def play(seat):
        await seat.press("o")
        dialog = await seat.dialog(ChooseDialog)
        await seat.sees("→ R.F", "R.L2")
        options = dialog.query_one(OptionList)
        place = [node.name for node in dialog.candidates].index("R.L2")
        await seat.press("space")  # takes the suggested one's mark away, or sets the first's
        marked = {dialog.candidates[i].name for i in dialog.marked}
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
        await seat.sees("●F★ .9733", "●L .9565")

    start(tmp_path, play)


@covers("decide.auto")
def test_auto_asks_for_a_number_and_decides_that_many(tmp_path):
    async def play(seat):
        await seat.press("A")
        dialog = await seat.dialog(AloneDialog)
        dialog.query_one(Input).value = ""
        await seat.press("2", "enter")
        await seat.main()
        await seat.idle()
        assert seat.actors() == ["cka", "cka"] and len(seat.kept()) == 2
        await seat.until(lambda: seat.state.selected.count(".") == 2, "following to the second")
        assert any("decides by cka: 2 decisions everywhere" in told for told in seat.app.told)

    start(tmp_path, play)


@covers("decide.next", "decide.previous")
def test_the_decisions_that_await_a_person_are_gone_through_one_after_the_other(tmp_path):
    async def play(seat):
        await seat.sees("◇ 2 await you")
        await seat.press("home", "i")
        await seat.at("R.L")
        await seat.told("R.L: 1 of 2 that await you")
        await seat.press("i")
        await seat.at("R.F")
        await seat.press("i")
        await seat.at("R.L")
        await seat.press("I")
        await seat.at("R.F")
        await seat.press("a")
        await seat.sees("R.F.F", "◇ 2 await you")  # its child came in its place
        await seat.press("i")
        await seat.at("R.L")

    def both(steering):
        steering.keep_both(steering.session.node("R"))

    start(tmp_path, play, both)


@covers("decide.next")
def test_where_nothing_awaits_a_person_that_is_said(tmp_path):
    async def play(seat):
        await seat.press("i")
        await seat.told("no decision awaits you")

    def decided(steering):
        steering.choose(steering.session.node("R"), [])

    start(tmp_path, play, decided)


@covers("history.undo", "history.redo")
def test_undo_takes_the_decision_back_and_redo_makes_it_again(tmp_path):
    async def play(seat):
        await seat.press("u")
        await seat.at("R")
        assert seat.kept() == set() and {"R.F.L", "R.F.F"} <= seat.ready(), "nothing is lost"
        await seat.sees("◇F .9733", "R · which to keep?", "a approve F")
        await seat.press("U")
        await seat.idle()
        assert seat.kept() == {"R.F"}
        await seat.sees("●F★ .9733")
        await seat.press("U")
        await seat.told("nothing to redo")

    start(tmp_path, play, approved)


def test_undo_is_offered_on_the_card_whose_decision_it_takes_back(tmp_path):
    async def play(seat):
        await seat.press("home")
        await seat.sees("●F★ .9733", "You kept the filter candidate", "u undo this")
        await seat.select("R.F")
        await seat.press("a")
        await seat.idle()
        await seat.press("home")
        await seat.sees("R · what was kept?", "You kept the filter candidate")
        assert "u undo this" not in "\n".join(seat.lines[:-1]), "it would undo the one below"
        await seat.press("u")
        await seat.told("took back: R.F.F kept at R.F")
        await seat.press("home")
        await seat.sees("R · what was kept?", "u undo this")

    start(tmp_path, play, approved)


def test_auto_decides_in_the_branch_that_is_selected_and_nowhere_else(tmp_path):
    def both(steering):
        steering.keep_both(steering.session.node("R"))

    async def play(seat):
        await seat.select("R.L")
        await seat.press("A")
        dialog = await seat.dialog(AloneDialog)
        await seat.sees("from R.L on")
        dialog.query_one(Input).value = ""
        await seat.press("2", "enter")
        await seat.main()
        await seat.idle()
        kept = seat.kept() - {"R.L", "R.F"}
        assert len(kept) == 2 and all(name.startswith("R.L.") for name in kept)

    start(tmp_path, play, both)


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
        tasks = seat.state.steering.grower.tasks
        await seat.until(lambda: "R.F" in seat.ready(), "the filter candidate")
        await seat.until(lambda: Work("recover", seat.node("R.F").id) not in tasks, "its end")
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
