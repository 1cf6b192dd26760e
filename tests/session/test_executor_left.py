"""Jobs that are left running when a session ends, and found again by the next one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import stub_worker
from executors import Started, state_of, until, with_executor
from small import OPTIONS, write_data, write_network

from engine.contracts import spool as left
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.worker_pool import JobFailedError, WorkerExecutor
from explorer.session.open_run import Request, open_session

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@pytest.fixture
def stub(tmp_path, monkeypatch):
    stub_worker.install(tmp_path, monkeypatch)
    return tmp_path / "spool"


def leave_a_job(tmp_path, **job) -> int:
    """A session that ends with a job under way and leaves it; gives the worker's process."""

    async def work(executor):
        started = await Started(executor, key="k", **job).works()
        assert await executor.leave() == 1
        with pytest.raises(asyncio.CancelledError):
            await started.task
        return started.pid

    return with_executor(tmp_path, work)


def test_a_left_job_outlives_its_session_and_the_next_one_gets_its_result_and_its_epochs(
    tmp_path, stub
):
    gate = tmp_path / "gate"
    pid = leave_a_job(tmp_path, steps=3, until=str(gate), id="first")
    marker = json.loads((stub / "k.running").read_text())
    assert marker == {"pid": pid, "started": left.start_of(pid), "job": "first"}

    async def work(executor):
        job = await Started(executor, key="k", id="again").works()
        assert job.heard[0] == {"event": "attached", "pid": pid}
        await until(lambda: len(job.heard) == 4)  # the epochs before the gate
        gate.touch()
        assert await job.task == {"pid": pid, "job": "first"}
        return [e["epoch"] for e in job.heard[1:]]

    assert with_executor(tmp_path, work) == [0, 1, 2, 3]
    assert [path.name for path in stub.iterdir()] == ["k.json"]  # until the session stores it


def test_a_left_job_that_ended_while_nobody_listened_gives_its_result(tmp_path, stub):
    gate = tmp_path / "gate"
    pid = leave_a_job(tmp_path, until=str(gate))
    gate.touch()
    asyncio.run(until(lambda: not (stub / "k.running").exists()))

    async def work(executor):
        job = Started(executor, key="k")
        assert (await job.task)["pid"] == pid
        return [e["event"] for e in job.heard]

    assert "started" not in with_executor(tmp_path, work)  # no worker was needed


def test_a_left_job_that_fails_says_so_once_and_can_be_tried_again(tmp_path, stub):
    gate = tmp_path / "gate"
    leave_a_job(tmp_path, until=str(gate), then="failed")
    gate.touch()

    async def work(executor):
        with pytest.raises(JobFailedError, match="it did not go well") as caught:
            await Started(executor, key="k").task
        assert caught.value.kind == "EngineError"
        return (await Started(executor, key="k", id="retried").task)["job"]

    assert with_executor(tmp_path, work) == "retried"
    assert not list(stub.glob("k.[er]*"))


def test_a_left_worker_that_was_killed_has_its_job_run_anew(tmp_path, stub):
    pid = leave_a_job(tmp_path, until="/never")
    os.kill(pid, signal.SIGKILL)

    async def work(executor):
        return await Started(executor, key="k", id="anew").task

    result = with_executor(tmp_path, work)
    assert result["job"] == "anew" and result["pid"] != pid
    assert not list(stub.glob("k.[er]*"))


def test_a_marker_of_a_process_number_that_now_means_another_process_is_no_left_job(tmp_path, stub):
    stub.mkdir()
    marker = {"pid": os.getpid(), "started": left.start_of(os.getpid()) - 1, "job": "old"}
    (stub / "k.running").write_text(json.dumps(marker))

    async def work(executor):
        return (await Started(executor, key="k", id="anew").task)["job"]

    assert with_executor(tmp_path, work) == "anew"


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_cancelling_or_closing_ends_a_followed_job(tmp_path, stub, how):
    pid = leave_a_job(tmp_path, until="/never", then="deaf")

    async def work(executor):
        job = await Started(executor, key="k").works()
        if how == "cancel":
            job.task.cancel()
        else:
            await executor.close()
        with pytest.raises(asyncio.CancelledError):
            await job.task
        await until(lambda: state_of(pid) in ("", "Z"))

    with_executor(tmp_path, work)
    assert not list(stub.glob("k.*"))


def test_a_followed_job_can_be_paused_and_left_again(tmp_path, stub):
    gate = tmp_path / "gate"
    pid = leave_a_job(tmp_path, until=str(gate))

    async def leave_again(executor):
        job = await Started(executor, key="k").works()
        executor.pause()
        await until(lambda: state_of(pid) == "T")
        assert await executor.leave() == 1
        with pytest.raises(asyncio.CancelledError):
            await job.task

    with_executor(tmp_path, leave_again)
    gate.touch()

    async def work(executor):
        return (await Started(executor, key="k").task)["pid"]

    assert with_executor(tmp_path, work) == pid


def test_a_followed_job_takes_a_slot_that_is_free_and_waits_for_none(tmp_path, stub):
    gate = tmp_path / "gate"
    leave_a_job(tmp_path, until=str(gate))

    async def work(executor):
        followed = await Started(executor, key="k").works()
        beside: list[bool] = []

        def hear(event):
            beside.append(not followed.task.done())

        other = asyncio.ensure_future(executor.run({"id": "other"}, hear))
        clock = WorkerExecutor(stub)  # by then a worker that waits for nothing has done its job
        await clock.run({"id": "clock"}, lambda event: None)
        await clock.close()
        gate.touch()
        await followed.task
        await other
        return beside

    beside = with_executor(tmp_path, work)
    assert beside and not any(beside)  # one slot: nothing ran beside the followed job


def test_what_cannot_be_found_again_is_not_left(tmp_path, stub):
    async def work(executor):
        assert await executor.leave() == 0  # nothing under way

    with_executor(tmp_path, work)

    async def without_a_key(executor):
        job = await Started(executor, until="/never").works()
        waiting = Started(executor, key="never begun")
        assert await executor.leave() == 0
        ended = await asyncio.gather(job.task, waiting.task, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        return job.pid

    pid = with_executor(tmp_path, without_a_key)
    assert state_of(pid) == "" and not list(stub.glob("*.running"))


def test_the_spool_folder_stays_whole_while_a_left_worker_may_read_it(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    tensors = spool / ("a" * 64 + ".safetensors")
    tensors.write_bytes(b"parent")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    marker = {"pid": process.pid, "started": left.start_of(process.pid), "job": "j"}
    (spool / "k.running").write_text(json.dumps(marker))
    (spool / "k.events").write_text("")
    clear_spool(spool)
    assert tensors.exists() and (spool / "k.running").exists() and (spool / "k.events").exists()
    process.kill()
    process.wait()
    clear_spool(spool)
    assert not spool.exists()


def test_a_result_that_is_not_whole_does_not_stop_the_spool_from_being_cleared(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "k.json").write_text('{"snap')
    (spool / "b.safetensors").write_bytes(b"?")
    clear_spool(spool)
    assert [path.name for path in spool.iterdir()] == ["k.json"]


# ---------------------------------------------------------------- with the real engine


def test_a_session_goes_on_with_what_the_last_one_left_running(tmp_path):
    store = tmp_path / "tree.pex.db"
    overrides = {**OPTIONS, "data": str(write_data(tmp_path)), "iterations": 1,
                 "recovery_epochs": 10, "tune_epochs": 10, "criterion": "l1"}  # fmt: skip
    request = Request(str(write_network(tmp_path)), store=store, overrides=overrides)
    heard: list[dict] = []

    async def session_of(listener):
        return await open_session(request, lambda spool: WorkerExecutor(spool), listener)

    async def leave():
        under_way = asyncio.Event()

        def listen(event):
            if event["event"] == "epoch" and event["kind"] == "recover":
                session.executor.pause()  # so that it is under way for certain
                under_way.set()

        session = await session_of(lambda event: listen(event))
        growing = asyncio.ensure_future(session.grow())
        await under_way.wait()
        assert await session.executor.leave() == 1
        (marker,) = session.spool.glob("*.running")
        os.killpg(left.read_marker(marker).pid, signal.SIGSTOP)  # it does not end unheard
        ended = (await asyncio.gather(growing, return_exceptions=True))[0]
        assert isinstance(ended, asyncio.CancelledError)
        assert {n.state for n in session.store.children(session.node("R").id)} == {"queued"}
        session.store.close()
        await session.executor.close()

    async def go_on():
        session = await session_of(heard.append)
        outcome = await session.grow()
        session.store.close()
        await session.executor.close()
        return outcome

    asyncio.run(leave())
    assert asyncio.run(go_on()).stopped == "iterations: 1 done"
    assert "attached" in {event["event"] for event in heard}
    epochs = [e["epoch"] for e in heard if e["event"] == "epoch" and e["node"] == "R.L"]
    assert epochs == list(range(10))
    traces = [path.suffix for path in (tmp_path / "tree.pex.db.spool").iterdir()]
    assert not {".json", ".running", ".events"} & set(traces)


def recovery_job(folder: Path, spool: Path) -> dict:
    """A recovery of some seconds, as a session asks for it."""
    from engine.runtime.progress import SILENT
    from engine.worker.handlers import Engine

    model, data = write_network(folder), write_data(folder)
    settings = {**OPTIONS, "data": str(data), "recovery_epochs": 20, "tune_epochs": 20}
    root = Engine(spool).run(
        {"kind": "open", "path": str(model), "device": "cpu", "settings": settings}, SILENT
    )
    execution = {k: root["environment"][k] for k in ("device", "num_threads", "autocast")}
    return {
        "kind": "recover", "name": "R.L", "settings": settings, "data": root["data"],
        "execution": execution, "seed": 5, "resample_seed": 6,
        "edit": {"structure": "layer", "blocks": ["layer1.1"]},
        "parent": {"architecture": root["architecture"], "snapshot": root["snapshot"]},
    }  # fmt: skip


def test_a_recovery_that_was_paused_and_left_ends_in_the_same_bits_as_an_undisturbed_one(tmp_path):
    from engine.runtime.progress import SILENT
    from engine.worker.handlers import Engine

    job = recovery_job(tmp_path, tmp_path / "spool")
    undisturbed = Engine(tmp_path / "elsewhere").run(job, SILENT)

    async def leave(executor):
        started = await Started(executor, key="k", **job).works()
        executor.pause()
        await until(lambda: state_of(started.pid) == "T")
        assert await executor.leave() == 1
        os.killpg(started.pid, signal.SIGSTOP)  # it does not end unheard
        return started.pid

    pid = with_executor(tmp_path, leave)
    assert left.read_marker(tmp_path / "spool" / "k.running").pid == pid  # in mid-recovery
    clear_spool(tmp_path / "spool")

    async def follow(executor):
        again = Started(executor, key="k", **job)
        return await again.task, [e["epoch"] for e in again.heard if e["event"] == "epoch"]

    result, epochs = with_executor(tmp_path, follow)
    assert epochs == list(range(20))
    assert result["snapshot"]["sha256"] == undisturbed["snapshot"]["sha256"]
    assert result["metrics"]["similarity"] == undisturbed["metrics"]["similarity"]
    assert result["metrics"]["latency_ms"] > 0
