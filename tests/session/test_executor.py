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
from executors import Started, state_of, until, with_executor

from explorer.executors.worker_pool import JobFailedError, WorkerDiedError, WorkerStartError
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
        result = await executor.run({"id": "next"}, lambda event: None)
        assert result == {"job": "next", "pid": job.pid}  # else it would have been replaced
        assert CANCEL_SECONDS < 1

    with_executor(tmp_path, work)


def test_a_job_that_does_not_hear_is_ended_with_its_worker(tmp_path):
    async def work(executor):
        job = await Started(executor, until="/never", then="deaf").works()
        job.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job.task
        assert state_of(job.pid) == ""
        result = await executor.run({"id": "next"}, lambda event: None)
        assert result["pid"] != job.pid

    with_executor(tmp_path, work)


def test_a_worker_that_hangs_is_ended_and_its_job_fails_by_name(tmp_path, monkeypatch):
    async def work(executor):
        first = await executor.run({"id": "first"}, lambda event: None)  # a start takes longer
        monkeypatch.setattr("explorer.executors.worker_process.SILENT_SECONDS", 0.3)
        job = await Started(executor, until="/never", then="deaf").works()
        with pytest.raises(WorkerDiedError, match="no sign of life for 0 s"):
            await job.task
        assert state_of(first["pid"]) == ""
        monkeypatch.setattr("explorer.executors.worker_process.SILENT_SECONDS", 60.0)
        result = await executor.run({"id": "next"}, lambda event: None)
        assert result["pid"] != first["pid"]

    with_executor(tmp_path, work)


def test_a_paused_worker_does_not_hang(tmp_path, monkeypatch):
    async def work(executor):
        first = await executor.run({"id": "first"}, lambda event: None)  # a start takes longer
        monkeypatch.setattr("explorer.executors.worker_process.SILENT_SECONDS", 0.2)
        go_on = tmp_path / "go on"
        job = await Started(executor, until=str(go_on)).works()
        executor.pause()
        await asyncio.wait([job.task], timeout=0.6)  # three times what would be too long
        assert not job.task.done() and state_of(first["pid"]) == "T"
        go_on.touch()
        executor.resume()
        assert (await job.task)["pid"] == first["pid"]

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
                assert set(ended[0]) == {"job", "pid"}
        return (await executor.run({"id": "last"}, lambda event: None))["job"]

    assert with_executor(tmp_path, work) == "last"


def test_a_listener_that_fails_ends_its_job_and_not_the_worker(tmp_path):
    async def work(executor):
        def hear(event):
            if event["event"] == "epoch":
                raise LookupError("nobody told me of this node")

        with pytest.raises(LookupError):
            await executor.run({"id": "first", "until": "/never"}, hear)
        return await asyncio.wait_for(executor.run({"id": "next"}, lambda event: None), 60)

    assert with_executor(tmp_path, work)["job"] == "next"


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
        assert (await job.task)["pid"] == job.pid

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
        assert (await job.task)["job"] == "patient"

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
        assert (await waiting.task)["job"] == "next"

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
            await executor.run({"id": "late"}, lambda event: None)

    with_executor(tmp_path, work)


SESSION = """
import asyncio, os, pathlib, signal, sys
from explorer.executors.worker_pool import WorkerExecutor
sys.executable = sys.argv[1]

async def work():
    executor = WorkerExecutor(pathlib.Path(sys.argv[2]))
    def hear(event):
        if event["event"] == "started":
            print(event["pid"], flush=True)
        if event["event"] == "epoch":
            executor.pause()
            print("paused", flush=True)
    await executor.run({"id": "a", "until": "/never"}, hear)

asyncio.run(work())
"""


def test_a_paused_worker_does_not_outlive_a_session_that_was_killed(tmp_path):
    command = [PYTHON, "-c", SESSION, sys.executable, tmp_path / "s"]
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
        return (await executor.run({"id": "next"}, lambda event: None))["job"]

    assert with_executor(tmp_path, work) == "next"


def test_a_worker_that_died_while_idle_is_replaced_unnoticed(tmp_path):
    async def work(executor):
        first = await executor.run({"id": "first"}, lambda event: None)
        os.kill(first["pid"], signal.SIGKILL)
        await until(lambda: state_of(first["pid"]) == "")  # noticed: it was reaped
        second = await executor.run({"id": "second"}, lambda event: None)
        assert second["pid"] != first["pid"]

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
            await executor.run({"id": "a"}, lambda event: None)
        assert not isinstance(caught.value, WorkerDiedError)  # what a session tries again

    with_executor(tmp_path, work)
    assert (tmp_path / "worker.log").read_text().count("started") == 1
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with pytest.raises(WorkerStartError, match="missing"):
        with_executor(tmp_path, lambda executor: executor.run({"id": "a"}, print))


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
        assert [e["event"] for e in job.heard] == ["started"]

    with_executor(tmp_path, work)


def test_a_failed_job_names_its_error_and_leaves_the_worker_at_work(tmp_path):
    async def work(executor):
        with pytest.raises(JobFailedError, match="it did not go well") as caught:
            await executor.run({"id": "a", "then": "failed"}, lambda event: None)
        assert caught.value.kind == "EngineError"
        return await executor.run({"id": "b"}, lambda event: None)

    assert with_executor(tmp_path, work)["job"] == "b"


def test_events_that_are_none_end_the_worker_rather_than_the_session(tmp_path, monkeypatch):
    babbling = tmp_path / "babbling"
    babbling.write_text(
        f"#!{PYTHON}\nimport os, sys, time\n"
        "os.write(int(sys.argv[4]), b'this is no event\\n')\ntime.sleep(60)\n"
    )
    babbling.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(babbling))

    async def work(executor):
        with pytest.raises(WorkerDiedError, match="no event"):
            await executor.run({"id": "a"}, lambda event: None)

    with_executor(tmp_path, work)


def test_several_workers_work_at_a_time(tmp_path):
    async def work(executor):
        gate = tmp_path / "gate"
        jobs = [await Started(executor, until=str(gate), slots=1).works() for _ in range(2)]
        gate.touch()
        results = [await job.task for job in jobs]
        assert len({result["pid"] for result in results}) == 2

    with_executor(tmp_path, work, num_slots=2)


def test_a_job_that_needs_the_whole_machine_waits_for_it_and_is_not_overtaken(tmp_path):
    async def work(executor):
        gate, told = tmp_path / "gate", []
        first = await Started(executor, until=str(gate), slots=1).works()
        ends = [
            asyncio.ensure_future(
                executor.run({"id": name, "slots": slots}, lambda e, name=name: told.append(name))
            )
            for name, slots in (("all of it", 2), ("a part", 1))
        ]
        given_up = asyncio.ensure_future(executor.run({"id": "never"}, told.append))
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
        results = [await executor.run({"id": n}, lambda event: None) for n in "abc"]
        assert len({result["pid"] for result in results}) == 1

    with_executor(tmp_path, work, num_slots=2)


def test_a_process_that_was_never_started_can_be_paused_left_and_killed(tmp_path):
    async def work():
        process = WorkerProcess(tmp_path, None)
        process.pause()
        process.resume()
        assert not await process.leave()
        await process.kill()

    asyncio.run(work())
