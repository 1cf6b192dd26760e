"""Leaving the app while jobs are live: what goes on, what ends, what is left behind."""

from __future__ import annotations

from driver import explore

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
        await seat.sees("Quit? 2 jobs are live", "R.L recover")
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
    assert app.worker.ended == "detached"
    assert states(tmp_path) == {"R": "ready", "R.L": "queued", "R.F": "queued"}


def test_leaving_says_how_many_jobs_go_on_and_means_it(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        seat.screen.paint()
        await seat.press("q")
        await seat.dialog(QuitDialog)
        await seat.sees("Quit? 2 jobs are live", "1 of 2 goes on without the app")
        await seat.press("l")
        await seat.until(lambda: seat.app._exit, "the end")

    def script(worker):
        worker.hold("recover")
        worker.queue("recover R.F")

    app = explore(tmp_path, play, script=script)
    assert app.lifecycle.told_at_the_end.startswith("1 job left running")


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
