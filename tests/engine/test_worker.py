"""What the worker makes of its commands, without a process."""

from __future__ import annotations

import io
import json
import sys

import pytest

from engine.contracts import spool as left
from engine.contracts.errors import EngineError
from engine.worker.process import Worker


class Recorder:
    """An engine that notes its jobs; `during` is called in the middle of each."""

    def __init__(self, during=lambda job: None) -> None:
        self.ran: list[str] = []
        self.during = during

    def run(self, job, monitor):
        self.ran.append(job["id"])
        monitor.tell("epoch", epoch=0)
        self.during(job)
        monitor.check()
        monitor.tell("epoch", epoch=1)
        if job.get("fails"):
            raise EngineError("it did not go well")
        return {}


class Pipe(io.StringIO):
    """What was written can be read after it was closed, as by the session at the other end."""

    def close(self) -> None:
        self.seek(0)


@pytest.fixture
def worker(tmp_path):
    return Worker(Pipe(), tmp_path / "spool")


def say(worker: Worker, monkeypatch, *commands) -> None:
    """Lets the worker hear these commands; then its standard input closes."""
    lines = "".join(json.dumps(command) + "\n" for command in commands)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    worker.listen()


def add(worker: Worker, *jobs) -> None:
    from engine.worker.process import Task

    worker.pending.extend(Task(job) for job in jobs)


def work(worker: Worker, engine: Recorder) -> list[tuple[str, str | None]]:
    while worker.pending and (task := worker.next_task()) is not None:
        worker.run_one(engine, task)
    lines = worker.events.getvalue().splitlines() if isinstance(worker.events, Pipe) else []
    return [(e["event"], e.get("job")) for e in map(json.loads, lines) if e["event"] != "epoch"]


def test_a_cancel_that_comes_after_its_job_does_not_meet_the_next_one(worker):
    add(worker, {"id": "a"}, {"id": "b"})
    engine = Recorder(lambda job: worker.cancel("a") if job["id"] == "b" else None)
    assert work(worker, engine) == [("result", "a"), ("result", "b")]


def test_a_cancel_ends_the_job_that_runs_and_one_that_waits(worker):
    add(worker, {"id": "a"}, {"id": "b"}, {"id": "c"})
    engine = Recorder(lambda job: [worker.cancel("a"), worker.cancel("b")])
    assert work(worker, engine) == [("cancelled", "a"), ("cancelled", "b"), ("result", "c")]
    assert engine.ran == ["a", "c"]


def test_when_the_session_is_gone_nothing_new_is_begun(worker, monkeypatch):
    engine = Recorder(lambda job: say(worker, monkeypatch))
    add(worker, {"id": "a"}, {"id": "b"})
    assert work(worker, engine) == [("cancelled", "a")]
    assert worker.next_task() is None


def test_a_worker_that_is_left_before_it_began_keeps_the_first_job_only(worker, monkeypatch):
    say(worker, monkeypatch, {"run": {"id": "a", "key": "k"}}, {"run": {"id": "b", "key": "l"}},
        {"leave": True})  # fmt: skip
    pipe = worker.events
    engine = Recorder()
    assert left.read_marker(worker.spool / "k.running").job == "a"
    work(worker, engine)
    assert engine.ran == ["a"] and worker.next_task() is None
    assert not list(worker.spool.glob("l.*")) and pipe is not None


def test_a_left_job_tells_its_file_of_all_its_epochs_and_of_its_failure(worker, monkeypatch):
    pipe = worker.events
    add(worker, {"id": "a", "key": "k", "fails": True})
    engine = Recorder(lambda job: say(worker, monkeypatch, {"leave": True}))
    work(worker, engine)
    told = [json.loads(line) for line in pipe.getvalue().splitlines()]
    assert [event["event"] for event in told] == ["epoch", "left"]
    kept = [json.loads(line) for line in (worker.spool / "k.events").read_text().splitlines()]
    assert [event.get("epoch", event["event"]) for event in kept] == [0, 1, "failed"]


def test_a_left_job_writes_one_progress_event_a_second_at_most(worker, monkeypatch):
    def busy(job):
        say(worker, monkeypatch, {"leave": True})
        for done in range(100):
            worker.emit({"event": "progress", "done": done})

    add(worker, {"id": "a", "key": "k"})
    work(worker, Recorder(busy))
    kept = (worker.spool / "k.events").read_text()
    assert 1 <= kept.count('"progress"') <= 3


def test_a_full_disk_stops_no_left_job(worker, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    def fill(job):
        say(worker, monkeypatch, {"leave": True})
        worker.events = Full()

    add(worker, {"id": "a", "key": "k"})
    engine = Recorder(fill)
    work(worker, engine)
    assert worker.current is None and engine.ran == ["a"]


def test_a_worker_without_a_job_that_could_be_found_again_ends_when_it_is_left(worker, monkeypatch):
    engine = Recorder(lambda job: say(worker, monkeypatch, {"leave": True}))
    add(worker, {"id": "a"})
    assert work(worker, engine) == [("left", None), ("cancelled", "a")]
    assert worker.next_task() is None and not list(worker.spool.glob("*.running"))


def test_a_left_worker_that_cannot_write_its_marker_says_so(worker, monkeypatch, tmp_path):
    (tmp_path / "spool").write_text("in the way")
    engine = Recorder(lambda job: say(worker, monkeypatch, {"leave": True}))
    add(worker, {"id": "a", "key": "k"})
    assert work(worker, engine) == [("left", None), ("cancelled", "a")]
