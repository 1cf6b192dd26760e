"""What every place where jobs run keeps to, with the real engine and with a stub that obeys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import stub_worker
from executors import Started, job_of, nobody, request, until
from small import write_data, write_network

from engine.contracts.errors import EngineError, SettingsError
from engine.contracts.events import EpochEnded, Progress, WorkerReady, WorkerStarted
from engine.contracts.jobs import (
    Diagnosis,
    Doctor,
    JobRequest,
    Opened,
    OpenRoot,
    Places,
    Recipe,
    TrainFromScratch,
)
from engine.contracts.networks import FileRef
from engine.contracts.spool import marker_path, result_path
from explorer.executors.base import Executor
from explorer.executors.errors import JobFailedError
from explorer.executors.in_process import InProcessExecutor
from explorer.executors.kinds import EXECUTORS

PYTHON = sys.executable
DETACHES = {"workers"}  # the others' jobs end with their process
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
Work = Callable[[Executor], Awaitable[Any]]


@pytest.fixture(params=EXECUTORS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def with_engine(kind, tmp_path) -> Callable[[Work], Any]:
    """Runs `work(executor)` over the real engine, and closes the executor whatever happens."""
    return lambda work: with_executor(EXECUTORS[kind], tmp_path / "spool", work)


@pytest.fixture
def with_stub(kind, tmp_path, monkeypatch) -> Callable[[Work], Any]:
    """The same over the stub, which does as the job says."""
    stub_worker.install(tmp_path, monkeypatch)
    monkeypatch.setattr("explorer.executors.kinds.NUM_SLOTS", 1)

    def make(spool: Path) -> Executor:
        executor = EXECUTORS[kind](spool)
        if isinstance(executor, InProcessExecutor):
            executor.engine = stub_worker.Engine(spool)
        return executor

    return lambda work: with_executor(make, tmp_path / "spool", work)


def with_executor(make: Callable[[Path], Executor], spool: Path, work: Work) -> Any:
    async def all_of_it():
        executor = make(spool)
        try:
            return await asyncio.wait_for(work(executor), 240)
        finally:
            await executor.close()

    return asyncio.run(all_of_it())


def own(events: list[Any]) -> list[Any]:
    """What the job told, without what its worker told of itself."""
    return [event for event in events if not isinstance(event, WorkerStarted | WorkerReady)]


# ------------------------------------------------------------ results and events


def test_a_job_gives_its_result_and_keeps_it_under_its_key(with_stub, tmp_path):
    async def work(executor):
        job = Started(executor, id="first", key="k", steps=3)
        assert job_of(await job.task) == "first"
        assert job.epochs == [0, 1, 2, 3]

    with_stub(work)
    assert result_path(tmp_path / "spool", "k").exists()


def test_jobs_wait_for_one_another_in_the_order_they_were_asked_for(with_stub, tmp_path):
    async def work(executor):
        gate, told = tmp_path / "gate", []

        def listen(name):
            return lambda event: told.append(name) if isinstance(event, EpochEnded) else None

        first = await Started(executor, until=str(gate)).works()
        others = [
            asyncio.ensure_future(executor.run(request(name, steps=2), listen(name)))
            for name in "abc"
        ]
        await asyncio.sleep(0)
        assert told == []
        gate.touch()
        results = await asyncio.gather(first.task, *others)
        assert [job_of(result) for result in results[1:]] == ["a", "b", "c"]
        assert told == sorted(told) and len(told) == 9  # not mixed

    with_stub(work)


def test_the_real_engine_s_result_and_events_are_the_same_everywhere(with_engine, tmp_path):
    model, data = write_network(tmp_path), write_data(tmp_path)
    job = OpenRoot(FileRef(model.name, "ab" * 32), device="cpu")

    async def work(executor):
        heard = []
        asked = JobRequest("open", job, places=Places(str(data), str(model)))
        opened = await executor.run(asked, heard.append)
        assert isinstance(opened, Opened) and opened.data.num_test == 30
        phases = [event.phase for event in own(heard) if isinstance(event, Progress)]
        assert list(dict.fromkeys(phases))[-2:] == ["validation", "test"]
        assert phases == sorted(phases, key=list(dict.fromkeys(phases)).index)  # in order
        return opened.snapshot.sha256

    # One spool and one engine's bits, whichever process did it.
    assert with_engine(work) == with_executor(EXECUTORS["in-process"], tmp_path / "other", work)


# ------------------------------------------------------------ failures


def test_a_failure_has_its_code_and_its_words_and_leaves_room_for_the_next_job(with_stub):
    async def work(executor):
        with pytest.raises(JobFailedError, match="it did not go well") as caught:
            await executor.run(request(then="failed"), nobody)
        assert caught.value.error == EngineError.code
        assert job_of(await executor.run(request("next"), nobody)) == "next"

    with_stub(work)


def test_an_error_that_nobody_foresaw_is_told_by_its_name(with_stub):
    async def work(executor):
        with pytest.raises(JobFailedError) as caught:
            await executor.run(JobRequest("a", Doctor("[]")), nobody)  # no script
        assert caught.value.error == "AttributeError" and "get" in str(caught.value)
        assert job_of(await executor.run(request("next"), nobody)) == "next"

    with_stub(work)


def test_the_real_engine_s_errors_have_their_codes(with_engine):
    async def work(executor):
        with pytest.raises(JobFailedError, match="use auto, cpu, cuda") as caught:
            await executor.run(JobRequest("a", Doctor("abacus")), nobody)
        assert caught.value.error == SettingsError.code
        assert isinstance(await executor.run(JobRequest("b", Doctor("cpu")), nobody), Diagnosis)

    with_engine(work)


def test_a_listener_that_raises_fails_its_own_job_alone(with_stub):
    async def work(executor):
        def listen(event):
            if isinstance(event, EpochEnded):
                raise LookupError("nobody told me of this node")

        bad = asyncio.ensure_future(executor.run(request(steps=5), listen))
        good = Started(executor, id="good")
        with pytest.raises(LookupError, match="nobody told me"):
            await bad
        assert job_of(await good.task) == "good"

    with_stub(work)


# ------------------------------------------------------------ ending jobs


def test_a_cancelled_job_ends_and_makes_room_for_the_next_one(with_stub):
    async def work(executor):
        job = await Started(executor, until="/never").works()
        waiting = Started(executor, until="/never")
        after = Started(executor, id="after")
        await asyncio.sleep(0)
        waiting.task.cancel()  # it has not begun
        job.task.cancel()
        for cancelled in (job, waiting):
            with pytest.raises(asyncio.CancelledError):
                await cancelled.task
        assert own(waiting.heard) == []
        assert job_of(await after.task) == "after"

    with_stub(work)


def test_the_real_engine_stops_in_the_middle_of_a_training(with_engine, tmp_path):
    data = write_data(tmp_path)
    job = TrainFromScratch("resnet8", Recipe(10**5, batch_size=16), 2, device="cpu", threads=1)
    asked = JobRequest("long", job, places=Places(str(data), output=str(tmp_path / "out.pt")))

    async def work(executor):
        training = Started(executor, asked)
        await until(lambda: training.epochs or training.task.done())
        training.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(training.task, 60)
        assert isinstance(await executor.run(JobRequest("b", Doctor("cpu")), nobody), Diagnosis)

    with_engine(work)
    assert not (tmp_path / "out.pt").exists()


@pytest.mark.parametrize("how", ["close", "detach"])
def test_once_it_is_closed_or_detached_nothing_runs_and_whoever_waits_is_cancelled(with_stub, how):
    async def work(executor):
        job = await Started(executor, until="/never").works()
        waiting = Started(executor)
        await asyncio.sleep(0)
        if how == "close":
            await executor.close()
        else:
            assert await executor.detach() == 0  # without a key it could not be found again
        ended = await asyncio.gather(job.task, waiting.task, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        with pytest.raises(asyncio.CancelledError):
            await executor.run(request("late"), nobody)

    with_stub(work)


def test_detaching_says_how_many_jobs_go_on_and_those_do(with_stub, kind, tmp_path):
    gate, spool = tmp_path / "gate", tmp_path / "spool"

    async def work(executor):
        job = await Started(executor, key="k", until=str(gate)).works()
        assert await executor.detach() == (1 if kind in DETACHES else 0)
        with pytest.raises(asyncio.CancelledError):
            await job.task
        gate.touch()
        await until(lambda: not marker_path(spool, "k").exists())
        assert result_path(spool, "k").exists() == (kind in DETACHES)

    with_stub(work)


# ------------------------------------------------------------ pausing


def test_a_pause_stops_what_runs_where_it_can_and_is_nothing_where_it_cannot(with_stub, tmp_path):
    async def work(executor):
        gate = tmp_path / "gate"
        job = await Started(executor, id="patient", until=str(gate)).works()
        executor.pause()
        assert executor.paused == executor.can_pause
        waiting = Started(executor)
        gate.touch()
        if executor.can_pause:
            for _ in range(100):
                await asyncio.sleep(0)
            assert not job.task.done() and not waiting.task.done()
        executor.resume()
        assert not executor.paused
        assert job_of(await job.task) == "patient"
        await waiting.task

    with_stub(work)


def test_a_paused_job_can_be_cancelled(with_stub):
    async def work(executor):
        job = await Started(executor, until="/never").works()
        executor.pause()
        job.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job.task
        assert executor.paused == executor.can_pause
        executor.resume()
        assert job_of(await executor.run(request("next"), nobody)) == "next"

    with_stub(work)
