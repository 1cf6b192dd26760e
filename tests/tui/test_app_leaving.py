"""Leaving the app while jobs are live: what goes on, what ends, what is left behind."""

from __future__ import annotations

from unittest import mock

import pytest
from driver import explore

from explorer.session.budget import Budget
from explorer.session.open_run import spool_of
from explorer.session.plan import read_plan
from explorer.tui.screens.message_dialogs import (
    QuitDialog,
)
from store import TreeStore


def leave(folder, key, **options):
    """Quits while both candidates are under way."""

    async def play(seat):
        jobs = {"recover R.L", "recover R.F"}
        await seat.until(lambda: jobs <= seat.worker.running.keys(), "the jobs")
        seat.screen.paint()
        await seat.press("q")
        await seat.dialog(QuitDialog)
        await seat.sees("Quit? 2 jobs ", "R.L recover")
        await seat.press(key)
        if key == "w":
            await seat.told("quits when the work is done")
            seat.worker.release()
        await seat.until(lambda: seat.app._exit, "the end")

    return explore(folder, play, script=lambda worker: worker.hold("recover"))


def states(folder) -> dict[str, str]:
    with TreeStore.open(folder / "resnet56.pex.db", read_only=True) as store:
        return {node.name: node.state for node in store.nodes(1)}


def test_waiting_ends_when_the_work_is_done_and_stored(tmp_path):
    app = leave(tmp_path, "w")
    assert app.worker.ended == "closed" and app.return_code == 0
    assert states(tmp_path) == {"R": "ready", "R.L": "ready", "R.F": "ready"}


def test_stopping_ends_at_once_and_the_next_start_does_the_rest(tmp_path):
    app = leave(tmp_path, "s")
    assert app.worker.ended == "closed"
    assert states(tmp_path) == {"R": "ready", "R.L": "queued", "R.F": "queued"}

    async def again(seat):
        await seat.idle()
        assert {"R.L", "R.F"} <= seat.ready()

    explore(tmp_path, again, model=tmp_path / "resnet56.pex.db")


def test_leaving_lets_the_jobs_go_on_without_the_app(tmp_path):
    app = leave(tmp_path, "l")
    store = tmp_path / "resnet56.pex.db"
    assert app.worker.ended == "detached" and app.handed_on == [store]
    assert states(tmp_path) == {"R": "ready", "R.L": "queued", "R.F": "queued"}
    assert "goes on in the background" in app.lifecycle.told_at_the_end


def in_a_browser():
    return mock.patch("textual.drivers.headless_driver.HeadlessDriver.is_web", True, create=True)


def test_a_closed_tab_asks_nothing_and_ends_no_work(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        assert seat.app.is_web
        seat.app.exit()

    with in_a_browser():
        app = explore(tmp_path, play, script=lambda worker: worker.hold("recover"))
    assert app.handed_on == [tmp_path / "resnet56.pex.db"]


@pytest.mark.parametrize("key", ["w", "s"])
def test_in_a_browser_too_who_waited_or_stopped_is_heard(tmp_path, key):
    with in_a_browser():
        app = leave(tmp_path, key)
    assert app.worker.ended == "closed" and app.handed_on == []


@pytest.mark.parametrize("key", ["w", "s"])
def test_nothing_goes_on_where_it_was_waited_for_or_stopped(tmp_path, key):
    app = leave(tmp_path, key)
    assert app.handed_on == [] and read_plan(spool_of(tmp_path / "resnet56.pex.db")) is None


def one_of_two(worker):
    """One candidate is under way, the other one waits for room."""
    worker.hold("recover")
    worker.queue("recover R.F")


def test_leaving_leaves_all_of_it_and_the_next_opening_goes_on_as_if_nothing_had_been(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        seat.worker.progress("recover R.L", 0.3)
        seat.state.steering.let_decide(Budget(decisions=3), seat.node("R"))
        seat.screen.paint()
        await seat.press("q")
        await seat.dialog(QuitDialog)
        await seat.sees("Quit? 1 job runs, 1 waits", "Left to the policy: 3 decisions everywhere")
        await seat.press("l")
        await seat.until(lambda: seat.app._exit, "the end")

    app = explore(tmp_path, play, script=one_of_two)
    store = tmp_path / "resnet56.pex.db"
    assert app.handed_on == [store]
    plan = read_plan(spool_of(store))
    assert [(grant.top, grant.budget.decisions) for grant in plan.grants] == [("R", 3)]

    async def again(seat):
        await seat.idle()
        assert seat.actors() == ["cka"] * 3
        assert not seat.state.steering.alone.grants

    explore(tmp_path, again, model=store)
    assert read_plan(spool_of(store)) is None


def test_where_nothing_can_go_on_in_the_background_the_promise_is_no_more_than_that(tmp_path):
    """A system that does not tell later which process works."""

    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        seat.worker.progress("recover R.L", 0.3)
        seat.screen.paint()
        await seat.press("q")
        await seat.dialog(QuitDialog)
        await seat.sees("Quit? 1 job runs, 1 waits", "1 of 2 goes on without the app")
        await seat.press("l")
        await seat.until(lambda: seat.app._exit, "the end")

    with mock.patch("explorer.session.in_background.start_of", lambda pid: None):
        app = explore(tmp_path, play, script=one_of_two)
    assert app.lifecycle.told_at_the_end.startswith("1 job left running")
    assert not app.handed_on


def test_staying_changes_nothing(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        await seat.press("q")
        await seat.dialog(QuitDialog)
        await seat.press("escape")
        await seat.main()
        seat.worker.release()
        await seat.idle()
        assert {"R.L", "R.F"} <= seat.ready()

    explore(tmp_path, play, script=lambda worker: worker.hold("recover"))
