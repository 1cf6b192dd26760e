"""What the worker makes of its commands, without a process."""

from __future__ import annotations

import io
import json
import sys

import pytest

from engine.contracts.codec import encode
from engine.contracts.errors import EngineError
from engine.contracts.events import EpochEnded, Progress
from engine.contracts.jobs import Diagnosis, Doctor, JobRequest
from engine.contracts.marker import read_marker
from engine.contracts.messages import (
    MESSAGES,
    CancelledJob,
    Command,
    Detach,
    Detached,
    Failed,
    Finished,
    Message,
    RunJob,
    Told,
)
from engine.contracts.networks import Environment
from engine.worker.process import Task, Worker


def epoch(number: int) -> EpochEnded:
    return EpochEnded("recovery", number, 2, 0.5, 90.0, 0.01, 700.0)


class Recorder:
    """An engine that notes its jobs; `during` is called in the middle of each."""

    def __init__(self, during=lambda request: None, fails: bool = False) -> None:
        self.ran: list[str] = []
        self.during = during
        self.fails = fails

    def run(self, request, monitor):
        self.ran.append(request.id)
        monitor.tell(epoch(0))
        self.during(request)
        monitor.check()
        monitor.tell(epoch(1))
        if self.fails:
            raise EngineError("it did not go well")
        return Diagnosis(Environment())


class Pipe(io.StringIO):
    """What was written can be read after it was closed, as by the session at the other end."""

    def close(self) -> None:
        self.seek(0)


@pytest.fixture
def worker(tmp_path):
    return Worker(Pipe(), tmp_path / "spool")


def job(name: str, key: str | None = None) -> JobRequest:
    return JobRequest(name, Doctor(), key=key)


def say(worker: Worker, monkeypatch, *commands: Command) -> None:
    """Lets the worker hear these commands; then its standard input closes."""
    lines = "".join(json.dumps(encode(command)) + "\n" for command in commands)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    worker.listen()


def add(worker: Worker, *jobs: JobRequest) -> None:
    worker.pending.extend(Task(each) for each in jobs)


def messages_in(text: str) -> list[Message]:
    return [MESSAGES.decode(json.loads(line)) for line in text.splitlines()]


def work(worker: Worker, engine: Recorder) -> list[tuple[type[Message], str | None]]:
    """How each job ended, as the worker told it."""
    while worker.pending and (task := worker.next_task()) is not None:
        worker.run_one(engine, task)
    pipe = worker.messages
    told = messages_in(pipe.getvalue()) if isinstance(pipe, Pipe) else []
    return [(type(each), each.job_id) for each in told if not isinstance(each, Told)]


def test_a_cancel_that_comes_after_its_job_does_not_meet_the_next_one(worker):
    add(worker, job("a"), job("b"))
    engine = Recorder(lambda request: worker.cancel("a") if request.id == "b" else None)
    assert work(worker, engine) == [(Finished, "a"), (Finished, "b")]


def test_a_cancel_ends_the_job_that_runs_and_one_that_waits(worker):
    add(worker, job("a"), job("b"), job("c"))
    engine = Recorder(lambda request: [worker.cancel("a"), worker.cancel("b")])
    assert work(worker, engine) == [(CancelledJob, "a"), (CancelledJob, "b"), (Finished, "c")]
    assert engine.ran == ["a", "c"]


def test_when_the_session_is_gone_nothing_new_is_begun(worker, monkeypatch):
    engine = Recorder(lambda request: say(worker, monkeypatch))
    add(worker, job("a"), job("b"))
    assert work(worker, engine) == [(CancelledJob, "a")]
    assert worker.next_task() is None


def test_a_worker_that_is_detached_before_it_began_keeps_the_first_job_only(worker, monkeypatch):
    say(worker, monkeypatch, RunJob(job("a", "k")), RunJob(job("b", "l")), Detach())  # fmt: skip
    pipe = worker.messages
    engine = Recorder()
    assert read_marker(worker.spool / "k.running").job == "a"
    work(worker, engine)
    assert engine.ran == ["a"] and worker.next_task() is None
    assert not list(worker.spool.glob("l.*")) and pipe is not None


def test_a_detached_job_tells_its_file_of_all_its_epochs_and_of_its_failure(worker, monkeypatch):
    pipe = worker.messages
    add(worker, job("a", "k"))
    engine = Recorder(lambda request: say(worker, monkeypatch, Detach()), fails=True)
    work(worker, engine)
    told = messages_in(pipe.getvalue())
    assert told == [Told(epoch(0), "a"), Detached("a")]
    kept = messages_in((worker.spool / "k.events").read_text())
    assert kept == [
        Told(epoch(0), "a"), Told(epoch(1), "a"), Failed("a", "engine", "it did not go well"),
    ]  # fmt: skip


def test_a_detached_job_writes_one_progress_event_a_second_at_most(worker, monkeypatch):
    def busy(request):
        say(worker, monkeypatch, Detach())
        for done in range(100):
            worker.tell(Progress("recovery", done, 100), "a")

    add(worker, job("a", "k"))
    work(worker, Recorder(busy))
    kept = (worker.spool / "k.events").read_text()
    assert 1 <= kept.count('"progress"') <= 3


def test_a_full_disk_stops_no_detached_job(worker, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    def fill(request):
        say(worker, monkeypatch, Detach())
        worker.messages = Full()

    add(worker, job("a", "k"))
    engine = Recorder(fill)
    work(worker, engine)
    assert worker.current is None and engine.ran == ["a"]


def test_a_worker_without_a_job_that_could_be_found_again_ends_when_it_is_detached(
    worker, monkeypatch
):
    engine = Recorder(lambda request: say(worker, monkeypatch, Detach()))
    add(worker, job("a"))
    assert work(worker, engine) == [(Detached, None), (CancelledJob, "a")]
    assert worker.next_task() is None and not list(worker.spool.glob("*.running"))


def test_a_detached_worker_that_cannot_write_its_marker_says_so(worker, monkeypatch, tmp_path):
    (tmp_path / "spool").write_text("in the way")
    engine = Recorder(lambda request: say(worker, monkeypatch, Detach()))
    add(worker, job("a", "k"))
    assert work(worker, engine) == [(Detached, None), (CancelledJob, "a")]


@pytest.mark.parametrize("line", ['{"kind": "from the future"}', "{", '{"kind": "run"}'])
def test_a_worker_that_does_not_understand_its_session_ends(worker, monkeypatch, capfd, line):
    """One that went deaf would leave the session waiting."""
    add(worker, job("a"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\n"))
    worker.listen()
    assert worker.next_task() is None
    assert "Traceback" in capfd.readouterr().err  # the log says why


@pytest.mark.parametrize(("raised", "error", "words"), [
    (EngineError("no such block"), "engine", "no such block"),
    (MemoryError(), "MemoryError", "out of memory; use a smaller --batch-size"),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes\nat"), "MemoryError",
     "out of memory (DefaultCPUAllocator"),
    (ZeroDivisionError(), "ZeroDivisionError", "ZeroDivisionError"),
    (ValueError("line one\nline two"), "ValueError", "line one"),
])  # fmt: skip
def test_a_job_that_fails_is_told_by_the_code_or_the_name_of_its_error(
    worker, raised, error, words, capfd
):
    def fail(request):
        raise raised

    add(worker, job("a"))
    assert work(worker, Recorder(fail)) == [(Failed, "a")]
    failed = messages_in(worker.messages.getvalue())[-1]
    assert isinstance(failed, Failed)
    assert failed.error == error and failed.message.startswith(words)
    # A traceback is for faults of ours only.
    assert ("Traceback" in capfd.readouterr().err) == (error != "engine")
