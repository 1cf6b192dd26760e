"""Jobs that are detached when a session ends, and found again by the next one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
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
from small import OPTIONS, write_data, write_network

from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError
from engine.contracts.events import EpochEnded, WorkerStarted
from engine.contracts.jobs import JobRequest, OpenRoot, Places, Recover
from engine.contracts.marker import read_marker, start_of
from engine.contracts.networks import DataRef, FileRef, NetworkRef
from engine.contracts.settings import Settings, with_values
from engine.contracts.working_folder import SIGN, take_folder
from explorer.executors.errors import JobFailedError
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.worker_pool import WorkerPool
from explorer.session.events import JobTold
from explorer.session.open_run import Request, open_session
from explorer.session.search import grow_tree

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@pytest.fixture
def stub(tmp_path, monkeypatch):
    stub_worker.install(tmp_path, monkeypatch)
    return tmp_path / "spool"


def leave_a_job(tmp_path, **job) -> int:
    """A session that ends with a job under way and leaves it; gives the worker's process."""

    async def work(executor):
        started = await Started(executor, key="k", **job).works()
        assert await executor.detach() == 1
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
    assert marker == {"pid": pid, "started": start_of(pid), "job": "first"}

    async def work(executor):
        job = await Started(executor, key="k", id="again").works()
        await until(lambda: len(job.heard) == 3)  # the epochs before the gate
        gate.touch()
        result = await job.task
        assert (pid_of(result), job_of(result)) == (pid, "first")
        return job.epochs

    assert with_executor(tmp_path, work) == [0, 1, 2, 3]
    assert [path.name for path in stub.iterdir()] == ["k.json"]  # until the session stores it


def test_a_left_job_that_ended_while_nobody_listened_gives_its_result(tmp_path, stub):
    gate = tmp_path / "gate"
    pid = leave_a_job(tmp_path, until=str(gate))
    gate.touch()
    asyncio.run(until(lambda: not (stub / "k.running").exists()))

    async def work(executor):
        job = Started(executor, key="k")
        assert pid_of(await job.task) == pid
        return [type(event) for event in job.heard]

    assert WorkerStarted not in with_executor(tmp_path, work)  # no worker was needed


def test_a_left_job_that_fails_says_so_once_and_can_be_tried_again(tmp_path, stub):
    gate = tmp_path / "gate"
    leave_a_job(tmp_path, until=str(gate), then="failed")
    gate.touch()

    async def work(executor):
        with pytest.raises(JobFailedError, match="it did not go well") as caught:
            await Started(executor, key="k").task
        assert caught.value.error == EngineError.code
        return job_of(await Started(executor, key="k", id="retried").task)

    assert with_executor(tmp_path, work) == "retried"
    assert not list(stub.glob("k.[er]*"))


def test_a_left_worker_that_was_killed_has_its_job_run_anew(tmp_path, stub):
    pid = leave_a_job(tmp_path, until="/never")
    os.kill(pid, signal.SIGKILL)

    async def work(executor):
        return await Started(executor, key="k", id="anew").task

    result = with_executor(tmp_path, work)
    assert job_of(result) == "anew" and pid_of(result) != pid
    assert not list(stub.glob("k.[er]*"))


def test_a_marker_of_a_process_number_that_now_means_another_process_is_no_left_job(tmp_path, stub):
    stub.mkdir()
    marker = {"pid": os.getpid(), "started": start_of(os.getpid()) - 1, "job": "old"}
    (stub / "k.running").write_text(json.dumps(marker))

    async def work(executor):
        return job_of(await Started(executor, key="k", id="anew").task)

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
        assert await executor.detach() == 1
        with pytest.raises(asyncio.CancelledError):
            await job.task

    with_executor(tmp_path, leave_again)
    gate.touch()

    async def work(executor):
        return pid_of(await Started(executor, key="k").task)

    assert with_executor(tmp_path, work) == pid


def test_a_followed_job_takes_a_slot_that_is_free_and_waits_for_none(tmp_path, stub):
    gate = tmp_path / "gate"
    leave_a_job(tmp_path, until=str(gate))

    async def work(executor):
        followed = await Started(executor, key="k").works()
        beside: list[bool] = []

        def hear(event):
            beside.append(not followed.task.done())

        other = asyncio.ensure_future(executor.run(request("other"), hear))
        clock = WorkerPool(stub)  # by then a worker that waits for nothing has done its job
        await clock.run(request("clock"), nobody)
        await clock.close()
        gate.touch()
        await followed.task
        await other
        return beside

    beside = with_executor(tmp_path, work)
    assert beside and not any(beside)  # one slot: nothing ran beside the followed job


def test_what_cannot_be_found_again_is_not_left(tmp_path, stub):
    async def work(executor):
        assert await executor.detach() == 0  # nothing under way

    with_executor(tmp_path, work)

    async def without_a_key(executor):
        job = await Started(executor, until="/never").works()
        waiting = Started(executor, key="never begun")
        assert await executor.detach() == 0
        ended = await asyncio.gather(job.task, waiting.task, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        return job.pid

    pid = with_executor(tmp_path, without_a_key)
    assert state_of(pid) == "" and not list(stub.glob("*.running"))


KEY = "0123456789abcdef" * 2


def test_the_spool_folder_stays_whole_while_a_left_worker_may_read_it(tmp_path):
    folder = tmp_path / "spool"
    take_folder(folder)
    tensors = folder / ("a" * 64 + ".safetensors")
    tensors.write_bytes(b"parent")
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0,
    )  # fmt: skip
    process.stdout.readline()  # it is that program by now
    marker = {"pid": process.pid, "started": start_of(process.pid), "job": "j"}
    (folder / f"{KEY}.running").write_text(json.dumps(marker))
    (folder / f"{KEY}.events").write_text("")
    before = sorted(folder.iterdir())
    clear_spool(folder)
    assert sorted(folder.iterdir()) == before
    process.kill()
    process.wait()
    clear_spool(folder)
    assert not folder.exists()


def test_a_result_that_is_not_whole_does_not_stop_the_spool_from_being_cleared(tmp_path):
    folder = tmp_path / "spool"
    take_folder(folder)
    (folder / f"{KEY}.json").write_text('{"snap')
    (folder / f"{'b' * 64}.safetensors").write_bytes(b"?")
    clear_spool(folder)
    assert {path.name for path in folder.iterdir()} == {f"{KEY}.json", SIGN}


# ---------------------------------------------------------------- with the real engine


@pytest.mark.slow  # half a minute
def test_a_session_goes_on_with_what_the_last_one_detached(tmp_path):
    store = tmp_path / "tree.pex.db"
    overrides = {**OPTIONS, "data": str(write_data(tmp_path)), "iterations": 1,
                 "recovery_epochs": 10, "tune_epochs": 10, "criterion": "l1"}  # fmt: skip
    request = Request(str(write_network(tmp_path)), store=store, overrides=overrides)
    heard: list[JobTold] = []

    async def detach():
        under_way = asyncio.Event()

        def listen(event):
            if is_epoch_of_a_recovery(event):
                session.executor.pause()  # so that it is under way for certain
                under_way.set()

        session = await open_session(request, WorkerPool, lambda event: listen(event))
        growing = asyncio.ensure_future(grow_tree(session))
        await under_way.wait()
        assert await session.executor.detach() == 1
        (marker,) = session.artifacts.spool.glob("*.running")
        pid = read_marker(marker).pid
        os.killpg(pid, signal.SIGSTOP)  # it does not end unheard
        ended = (await asyncio.gather(growing, return_exceptions=True))[0]
        assert isinstance(ended, asyncio.CancelledError)
        assert {n.state for n in session.store.children(session.node("R").id)} == {"queued"}
        session.store.close()
        await session.executor.close()
        return pid

    async def go_on():
        session = await open_session(request, WorkerPool, heard.append)
        outcome = await grow_tree(session)
        session.store.close()
        await session.executor.close()
        return outcome

    pid = asyncio.run(detach())
    assert asyncio.run(go_on()).stopped == "iterations: 1 done"
    recovery = [event for event in heard if is_epoch_of_a_recovery(event) and event.node == "R.L"]
    assert [told.event.epoch for told in recovery] == list(range(10))
    anew = [
        event
        for event in heard
        if isinstance(event, JobTold)
        and (event.node, event.job) == ("R.L", "recover")
        and isinstance(event.event, WorkerStarted)
    ]
    assert not anew and state_of(pid) in ("", "Z")  # the detached worker did it, and ended
    traces = [path.suffix for path in (tmp_path / "tree.pex.db.spool").iterdir()]
    assert not {".json", ".running", ".events"} & set(traces)


def is_epoch_of_a_recovery(event) -> bool:
    return (
        isinstance(event, JobTold) and event.job == "recover"
        and isinstance(event.event, EpochEnded)
    )  # fmt: skip


def recovery_request(folder: Path, spool: Path) -> JobRequest:
    """A recovery of some seconds, as a session asks for it."""
    from engine.runtime.progress import SILENT
    from engine.worker.engine import Engine

    model, data = write_network(folder), write_data(folder)
    places = Places(data=str(data), checkpoint=str(model))
    root = Engine(spool).run(
        JobRequest("root", OpenRoot(FileRef(model.name, ""), device="cpu"), places=places), SILENT
    )
    settings = with_values(Settings(), {**OPTIONS, "recovery_epochs": 20, "tune_epochs": 20})
    job = Recover(
        parent=NetworkRef(root.architecture, root.snapshot),
        edit=Edit("layer", blocks=("layer1.1",)),
        data=DataRef(root.data.digest, root.data.mean, root.data.std),
        execution=root.environment.execution,
        training=settings.training,
        similarity=settings.similarity,
        seed=5,
        resample_seed=6,
    )
    return JobRequest("recovery", job, places=places, key="k")


def test_a_recovery_paused_and_detached_ends_in_the_same_bits_as_an_undisturbed_one(tmp_path):
    from engine.runtime.progress import SILENT
    from engine.worker.engine import Engine

    asked = recovery_request(tmp_path, tmp_path / "spool")
    shutil.copytree(tmp_path / "spool", tmp_path / "elsewhere")
    undisturbed = Engine(tmp_path / "elsewhere").run(asked, SILENT)

    async def detach(executor):
        started = await Started(executor, asked).works()
        executor.pause()
        await until(lambda: state_of(started.pid) == "T")
        assert await executor.detach() == 1
        os.killpg(started.pid, signal.SIGSTOP)  # it does not end unheard
        return started.pid

    pid = with_executor(tmp_path, detach)
    assert read_marker(tmp_path / "spool" / "k.running").pid == pid  # in mid-recovery
    clear_spool(tmp_path / "spool")

    async def follow(executor):
        again = Started(executor, asked)
        return await again.task, again.epochs

    result, epochs = with_executor(tmp_path, follow)
    assert epochs == list(range(20))
    assert result.snapshot == undisturbed.snapshot
    assert result.metrics["similarity"] == undisturbed.metrics["similarity"]
    assert result.metrics["latency_ms"] > 0
