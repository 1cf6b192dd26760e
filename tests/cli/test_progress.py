"""What commands say while the engine is silent."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from engine.contracts.events import Noted, WorkerReady, WorkerStarted
from explorer.cli import progress
from explorer.cli.progress import WARMING, Reporter
from explorer.session.events import JobAnswered, JobAsked, JobTold, RunResumed

ASKED = JobAsked("R", "open")


def reporter_and_output(*, is_terminal: bool) -> tuple[Reporter, io.StringIO]:
    reporter, out = Reporter(), io.StringIO()
    reporter.console = Console(file=out, force_terminal=is_terminal, no_color=True, width=80)
    return reporter, out


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_job_that_waits_for_its_worker_is_told_of(monkeypatch, is_terminal):
    monkeypatch.setattr(progress, "SILENCE", 0.0)
    reporter, out = reporter_and_output(is_terminal=is_terminal)
    with reporter:
        reporter(ASKED)
        reporter(JobTold("R", "open", WorkerStarted(7)))
        deadline = time.monotonic() + 60
        while WARMING not in out.getvalue():
            assert time.monotonic() < deadline, out.getvalue()
            time.sleep(0.005)
        reporter(JobTold("R", "open", Noted("read")))
        assert WARMING not in reporter.tasks
        reporter(JobAsked("R", "propose"))
    assert is_terminal or out.getvalue().count(WARMING) == 1


@pytest.mark.parametrize("sign", [JobTold("R", "open", WorkerReady()), JobAnswered("R", "open")])
def test_an_engine_that_answers_in_time_is_not_waited_for(monkeypatch, sign):
    monkeypatch.setattr(progress, "SILENCE", 1e6)
    reporter, out = reporter_and_output(is_terminal=False)
    with reporter:
        reporter(RunResumed("run", "store"))
        reporter(ASKED)
        reporter(sign)
        assert reporter._warming is not None and not reporter._warming.is_alive()
    assert WARMING not in out.getvalue() and "resuming" in out.getvalue()
