"""Both candidates of a parent at once, each on its share of the threads."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from small import request_of, write_data, write_network

from engine.contracts.jobs import JobRequest, OpenRoot
from engine.contracts.networks import Execution
from engine.runtime import device
from explorer.executors.in_process import InProcessExecutor
from explorer.executors.worker_pool import WorkerPool
from explorer.session.documents import RunDocument
from explorer.session.open_run import open_session
from explorer.session.search import grow_tree
from store import TreeStore


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def test_the_rule_goes_by_the_machine(monkeypatch) -> None:
    monkeypatch.setattr(device, "_physical_memory_bytes", lambda: 8 * 2**30)
    assert device.candidates_at_once(Execution("cpu", 4, None)) == 2
    assert device.candidates_at_once(Execution("cpu", 1, None)) == 1
    assert device.candidates_at_once(Execution("cuda", 16, "bfloat16")) == 1
    monkeypatch.setattr(device, "_physical_memory_bytes", lambda: 4 * 2**30)
    assert device.candidates_at_once(Execution("cpu", 4, None)) == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"num_threads": 4, "candidates_at_once": 2}, (1, 2)),
        ({"num_threads": 3, "candidates_at_once": 2}, (1, 1)),
        ({"num_threads": 2, "candidates_at_once": 1}, (None, 2)),
        ({"num_threads": 2}, (None, 2)),  # a run from before
    ],
)
def test_recovering_takes_a_share_and_everything_else_takes_all(
    files, tmp_path, environment, expected
) -> None:
    asked: list[JobRequest] = []

    class Recording(InProcessExecutor):
        async def run(self, request, on_event):
            asked.append(request)
            if not isinstance(request.job, OpenRoot):  # quick beside other tests
                alone = replace(request.job.execution, num_threads=1)
                request = replace(request, job=replace(request.job, execution=alone))
            return await super().run(request, on_event)

    async def work() -> None:
        store = tmp_path / "tree.pex.db"
        request = request_of(files, store, criterion="l1", iterations=1)
        session = await open_session(request, Recording, lambda event: None)
        known = {k: v for k, v in session.run.environment.items() if k != "candidates_at_once"}
        run = replace(session.run, environment={**known, **environment})
        session = session.on_run(RunDocument.of(run))
        try:
            await grow_tree(session)
        finally:
            session.store.close()

    asyncio.run(work())
    shares = {
        request.job.KIND: (request.slots, request.job.execution.num_threads)
        for request in asked
        if not isinstance(request.job, OpenRoot)
    }
    everything = (None, environment["num_threads"])
    assert shares == {"propose": everything, "recover": expected, "tune": everything}


@pytest.mark.slow  # grows a tree four times
def test_two_at_once_give_the_same_tree_every_time(files, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def snapshots(name: str) -> dict:
        async def work() -> None:
            request = request_of(
                files, tmp_path / f"{name}.pex.db", criterion="l1", recovery_epochs=3, iterations=1
            )
            executors = []

            def make(spool: Path) -> WorkerPool:
                executors.append(WorkerPool(spool, num_slots=2, log=tmp_path / "log"))
                return executors[0]

            session = await open_session(request, make, lambda event: None)
            if session.document.environment.candidates_at_once == 1:
                pytest.skip("this machine has no memory for two")
            try:
                await grow_tree(session)
            finally:
                session.store.close()
                await executors[0].close()

        asyncio.run(work())
        with TreeStore.open(tmp_path / f"{name}.pex.db", read_only=True) as store:
            nodes = store.nodes(store.latest_run().id)
            return {(n.name, p): store.snapshot_hash(n.id, p) for n in nodes for p in n.phases}

    assert snapshots("first") == snapshots("second")
