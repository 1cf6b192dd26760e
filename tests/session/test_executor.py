"""Worker processes: cancelling, pausing, dying, starting. Their engine is a stub, all else real."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import stub_worker
from executors import (
    Started,
    job_of,
    nobody,
    pid_of,
    request,
    state_of,
    until,
    with_executor,
)

from engine.contracts.errors import EngineError
from engine.contracts.events import EpochEnded, WorkerStarted
from engine.contracts.jobs import Diagnosis
from explorer.executors.errors import JobFailedError, WorkerDiedError, WorkerStartError
from explorer.executors.worker_process import CANCEL_SECONDS, WorkerProcess

PYTHON = sys.executable  # before the stub takes its place
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@pytest.fixture(autouse=True)
def stub(tmp_path, monkeypatch):
    stub_worker.install(tmp_path, monkeypatch)


def test_a_cancelled_job_ends_within_a_second_and_its_worker_takes_the_next_one(tmp_path):
    async def work(executor):
        job = await Started(executor, until="/never").works()
        job.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job.task
        result = await executor.run(request("next"), nobody)
        assert (job_of(result), pid_of(result)) == ("next", job.pid)  # else it was replaced
        assert CANCEL_SECONDS < 1

    with_executor(tmp_path, work)


def test_a_job_that_does_not_hear_is_ended_with_its_worker(tmp_path):
    async def work(executor):
        job = await Started(executor, until="/never", then="deaf").works()
        job.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job.task
        assert state_of(job.pid) == ""
        result = await executor.run(request("next"), nobody)
        assert pid_of(result) != job.pid

    with_executor(tmp_path, work)


def test_a_worker_that_hangs_is_ended_and_its_job_fails_by_name(tmp_path, monkeypatch):
    async def work(executor):
        first = pid_of(await executor.run(request("first"), nobody))  # a start takes longer
        monkeypatch.setattr("explorer.executors.worker_process.SILENT_SECONDS", 0.3)
        job = await Started(executor, until="/never", then="deaf").works()
        with pytest.raises(WorkerDiedError, match="no sign of life for 0 s"):
            await job.task
        assert state_of(first) == ""
        monkeypatch.setattr("explorer.executors.worker_process.SILENT_SECONDS", 60.0)
        result = await executor.run(request("next"), nobody)
        assert pid_of(result) != first

    with_executor(tmp_path, work)


def test_a_paused_worker_does_not_hang(tmp_path, monkeypatch):
    async def work(executor):
        first = pid_of(await executor.run(request("first"), nobody))  # a start takes longer
        monkeypatch.setattr("explorer.executors.worker_process.SILENT_SECONDS", 0.2)
        go_on = tmp_path / "go on"
        job = await Started(executor, until=str(go_on)).works()
        executor.pause()
        await asyncio.wait([job.task], timeout=0.6)  # three times what would be too long
        assert not job.task.done() and state_of(first) == "T"
        go_on.touch()
        executor.resume()
        assert pid_of(await job.task) == first

    with_executor(tmp_path, work)


def test_jobs_that_are_cancelled_again_and_again_never_hit_their_neighbours(tmp_path):
    async def work(executor):
        for number in range(40):
            job = Started(executor, steps=number % 4)
            for _ in range(number % 7):
                await asyncio.sleep(0)
            if number % 2:
                job.task.cancel()
            ended = await asyncio.gather(job.task, return_exceptions=True)
            if number % 2 == 0:
                assert isinstance(ended[0], Diagnosis)
        return job_of(await executor.run(request("last"), nobody))

    assert with_executor(tmp_path, work) == "last"


def test_a_listener_that_fails_ends_its_job_and_not_the_worker(tmp_path):
    async def work(executor):
        def hear(event):
            if isinstance(event, EpochEnded):
                raise LookupError("nobody told me of this node")

        with pytest.raises(LookupError):
            await executor.run(request(until="/never"), hear)
        return job_of(await executor.run(request("next"), nobody))

    assert with_executor(tmp_path, work) == "next"


def test_a_pause_stops_the_process_and_resuming_lets_it_finish(tmp_path):
    async def work(executor):
        gate = tmp_path / "gate"
        job = await Started(executor, until=str(gate)).works()
        executor.pause()
        assert executor.paused
        await until(lambda: state_of(job.pid) == "T")
        gate.touch()
        executor.resume()
        assert not executor.paused
        assert pid_of(await job.task) == job.pid

    with_executor(tmp_path, work)


def test_a_job_asked_for_while_paused_waits_until_resumed(tmp_path):
    async def work(executor):
        gate = tmp_path / "gate"
        executor.pause()
        job = Started(executor, id="patient", until=str(gate))
        await until(lambda: job.heard and state_of(job.pid) == "T")
        gate.touch()
        assert not job.task.done()
        executor.resume()
        assert job_of(await job.task) == "patient"

    with_executor(tmp_path, work)


def test_cancelling_while_paused_ends_the_job_within_a_second_and_stays_paused(tmp_path):
    async def work(executor):
        job = await Started(executor, until="/never").works()
        executor.pause()
        await until(lambda: state_of(job.pid) == "T")
        job.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job.task
        assert executor.paused
        await until(lambda: state_of(job.pid) in ("T", ""))
        waiting = Started(executor, id="next")
        executor.resume()
        assert job_of(await waiting.task) == "next"

    with_executor(tmp_path, work)


def test_closing_while_paused_ends_the_process_and_cancels_who_waits(tmp_path):
    async def work(executor):
        job = await Started(executor, until="/never").works()
        waiting = Started(executor)
        executor.pause()
        await executor.close()
        assert state_of(job.pid) == ""
        ended = await asyncio.gather(job.task, waiting.task, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        with pytest.raises(asyncio.CancelledError):  # and no worker is started ever after
            await executor.run(request("late"), nobody)

    with_executor(tmp_path, work)


SESSION = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[3])
from executors import request
from engine.contracts.events import EpochEnded, WorkerStarted
from explorer.executors.worker_pool import WorkerPool
sys.executable = sys.argv[1]

async def work():
    executor = WorkerPool(pathlib.Path(sys.argv[2]))
    def hear(event):
        if isinstance(event, WorkerStarted):
            print(event.pid, flush=True)
        if isinstance(event, EpochEnded):
            executor.pause()
            print("paused", flush=True)
    await executor.run(request(until="/never"), hear)

asyncio.run(work())
"""


def test_a_paused_worker_does_not_outlive_a_session_that_was_killed(tmp_path):
    command = [PYTHON, "-c", SESSION, sys.executable, tmp_path / "s", Path(__file__).parent]
    session = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid = int(session.stdout.readline())
    assert session.stdout.readline() == "paused\n"
    session.send_signal(signal.SIGKILL)
    session.wait()
    asyncio.run(until(lambda: state_of(pid) in ("", "Z")))


def test_a_worker_killed_in_mid_job_is_told_of_by_signal_and_replaced(tmp_path):
    async def work(executor):
        job = await Started(executor, until="/never").works()
        os.kill(job.pid, signal.SIGKILL)
        with pytest.raises(WorkerDiedError, match=r"killed by SIGKILL.*worker\.log"):
            await job.task
        return job_of(await executor.run(request("next"), nobody))

    assert with_executor(tmp_path, work) == "next"


def test_a_worker_that_died_while_idle_is_replaced_unnoticed(tmp_path):
    async def work(executor):
        first = await executor.run(request("first"), nobody)
        os.kill(pid_of(first), signal.SIGKILL)
        await until(lambda: state_of(pid_of(first)) == "")  # noticed: it was reaped
        second = await executor.run(request("second"), nobody)
        assert pid_of(second) != pid_of(first)

    with_executor(tmp_path, work)


def test_a_worker_that_cannot_start_says_why_where_the_log_is_and_is_not_tried_again(
    tmp_path, monkeypatch
):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho started >&2\necho No module named torch >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))

    async def work(executor):
        with pytest.raises(
            WorkerStartError, match=r"cannot start: No module named torch; .*worker\.log"
        ) as caught:
            await executor.run(request("a"), nobody)
        assert not isinstance(caught.value, WorkerDiedError)  # what a session tries again

    with_executor(tmp_path, work)
    assert (tmp_path / "worker.log").read_text().count("started") == 1
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with pytest.raises(WorkerStartError, match="missing"):
        with_executor(tmp_path, lambda executor: executor.run(request(), print))


def test_files_of_somebody_s_own_in_the_current_folder_do_not_break_the_worker(
    tmp_path, monkeypatch
):
    for name in ("engine", "random", "queue"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not mine')")
    (tmp_path / "mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", PYTHON)

    async def work(executor):
        job = Started(executor)
        await until(lambda: job.heard or job.task.done())
        assert [type(event) for event in job.heard] == [WorkerStarted]

    with_executor(tmp_path, work)


def test_a_failed_job_names_its_error_and_leaves_the_worker_at_work(tmp_path):
    async def work(executor):
        with pytest.raises(JobFailedError, match="it did not go well") as caught:
            await executor.run(request(then="failed"), nobody)
        assert caught.value.error == EngineError.code
        return job_of(await executor.run(request("b"), nobody))

    assert with_executor(tmp_path, work) == "b"


def test_messages_that_are_none_end_the_worker_rather_than_the_session(tmp_path, monkeypatch):
    babbling = tmp_path / "babbling"
    babbling.write_text(
        f"#!{PYTHON}\nimport os, sys, time\n"
        "os.write(int(sys.argv[4]), b'this is no message\\n')\ntime.sleep(60)\n"
    )
    babbling.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(babbling))

    async def work(executor):
        with pytest.raises(WorkerDiedError, match="no message"):
            await executor.run(request("a"), nobody)

    with_executor(tmp_path, work)


def test_several_workers_work_at_a_time(tmp_path):
    async def work(executor):
        gate = tmp_path / "gate"
        jobs = [await Started(executor, until=str(gate), slots=1).works() for _ in range(2)]
        gate.touch()
        results = [await job.task for job in jobs]
        assert len({pid_of(result) for result in results}) == 2

    with_executor(tmp_path, work, num_slots=2)


def test_a_job_that_needs_the_whole_machine_waits_for_it_and_is_not_overtaken(tmp_path):
    async def work(executor):
        gate, told = tmp_path / "gate", []
        first = await Started(executor, until=str(gate), slots=1).works()
        ends = [
            asyncio.ensure_future(
                executor.run(request(name, slots=slots), lambda event, name=name: told.append(name))
            )
            for name, slots in (("all of it", 2), ("a part", 1))
        ]
        given_up = asyncio.ensure_future(executor.run(request("never"), told.append))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.touch()
        await first.task
        await asyncio.gather(*ends)
        order = list(dict.fromkeys(told))
        assert order == ["all of it", "a part"]

    with_executor(tmp_path, work, num_slots=2)


def test_jobs_one_after_the_other_have_the_same_worker(tmp_path):
    async def work(executor):
        results = [await executor.run(request(n), nobody) for n in "abc"]
        assert len({pid_of(result) for result in results}) == 1

    with_executor(tmp_path, work, num_slots=2)


def test_a_process_that_was_never_started_can_be_paused_detached_and_killed(tmp_path):
    async def work():
        process = WorkerProcess(tmp_path, None)
        process.pause()
        process.resume()
        assert not await process.detach()
        await process.kill()

    asyncio.run(work())
