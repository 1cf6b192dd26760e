"""The same job is done once, whichever run of a store asks for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from small import request_of, write_data, write_network

from engine.contracts.settings import with_values
from explorer.executors.in_process import InProcessExecutor
from explorer.session.another_run import begin_another, on_another_run
from explorer.session.events import JobAdopted, ignore
from explorer.session.open_run import open_session
from explorer.session.search import grow_tree
from store import TreeStore


class Counting(InProcessExecutor):
    """Keeps the labels of the jobs that are really done."""

    def __init__(self, spool: Path) -> None:
        super().__init__(spool)
        self.labels: list[str] = []

    async def run(self, request, on_event):
        self.labels.append(request.label)
        return await super().run(request, on_event)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def results(store: TreeStore, run: int) -> dict:
    """Everything that a run's nodes hold, bit for bit."""
    found = {}
    for node in store.nodes(run):
        found[node.name] = (
            node.edit,
            dict(node.metrics),
            [store.snapshot_hash(node.id, phase) for phase in node.phases],
            [epoch.values for epoch in store.epochs(node.id)],
            [p.content for p in store.proposals(node.id)],
        )
        if "recovered" in node.phases:
            found[node.name] += (store.resamples(node.id, "recovered"),)
    return found


async def grown(files, path: Path, *others: dict):
    """A run of the usual settings and others beside it, all grown; what was done for each."""
    session = await open_session(request_of(files, path, iterations=1), Counting, ignore)
    done, adopted = [], []
    try:
        await grow_tree(session)
        done.append(list(session.executor.labels))
        for settings in others:
            session.executor.labels.clear()
            wanted = with_values(session.settings, settings)
            if "seed" in settings:
                wanted = replace(wanted, seed=settings["seed"])
            heard: list = []
            other = on_another_run(session, begin_another(session, wanted), heard.append)
            await grow_tree(other)
            done.append([label for label in session.executor.labels if " " in label])
            adopted.append([e for e in heard if isinstance(e, JobAdopted)])
        stored = [results(session.store, run.id) for run in session.store.runs()]
        names = [run.name for run in session.store.runs()]
    finally:
        await session.close()
    return done, adopted, stored, names


def test_a_run_of_another_policy_does_only_what_no_other_has_done(files, tmp_path):
    done, adopted, _, names = asyncio.run(
        grown(files, tmp_path / "a.db", {"policy": "layers"}, {"policy": "filters"})
    )
    first = {label for label in done[0] if not label.startswith(("open", "data"))}
    assert {"propose R", "recover R.L", "recover R.F"} < first
    (kept,) = [label.removeprefix("tune ") for label in first if label.startswith("tune")]
    # Both candidates were grown; of them the kept one is tuned already.
    for policy, node in ((1, "R.L"), (2, "R.F")):
        assert done[policy] == ([] if node == kept else [f"tune {node}"])
        assert {(e.node, e.run) for e in adopted[policy - 1]} == {
            ("R", names[0]),
            (node, names[0]),
        }


def test_what_is_taken_over_is_what_would_have_been_computed(files, tmp_path):
    _, _, shared, _ = asyncio.run(grown(files, tmp_path / "a.db", {"policy": "layers"}))
    request = request_of(files, tmp_path / "b.db", iterations=1, policy="layers")

    async def alone():
        session = await open_session(request, Counting, ignore)
        try:
            await grow_tree(session)
            return results(session.store, session.run.id)
        finally:
            await session.close()

    computed = asyncio.run(alone())
    assert shared[1].keys() == computed.keys()

    def without_clocks(rows):
        kept = {}
        for name, (edit, metrics, hashes, epochs, proposals, *rest) in rows.items():
            metrics = {k: v for k, v in metrics.items() if not k.startswith("latency")}
            epochs = [{k: v for k, v in e.items() if k != "images_per_second"} for e in epochs]
            proposals = [{k: v for k, v in p.items() if k != "seconds"} for p in proposals]
            kept[name] = (edit, metrics, hashes, epochs, proposals, *rest)
        return kept

    assert without_clocks(shared[1]) == without_clocks(computed)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"seed": 1}, marks=pytest.mark.slow),
        pytest.param({"criterion": "l1", "recovery_epochs": 2}, marks=pytest.mark.slow),
        {"learning_rate": 0.02},
    ],
)
def test_another_seed_or_setting_is_other_work(files, tmp_path, other):
    done, adopted, _, _ = asyncio.run(
        grown(files, tmp_path / "a.db", {**other, "policy": "layers"})
    )
    assert "recover R.L" in done[1]
    scored_alike = "learning_rate" in other
    assert [e.node for e in adopted[0]] == (["R"] if scored_alike else [])


@pytest.mark.slow
def test_weights_that_were_freed_are_made_again(files, tmp_path):
    path = tmp_path / "a.db"

    async def work():
        session = await open_session(request_of(files, path, iterations=1), Counting, ignore)
        try:
            await grow_tree(session)
            for name in ("R.L", "R.F"):
                session.store.drop(session.node(name).id)
            session.store.free()
            session.executor.labels.clear()
            wanted = with_values(session.settings, {"policy": "layers"})
            other = on_another_run(session, begin_another(session, wanted), ignore)
            await grow_tree(other)
            return session.executor.labels
        finally:
            await session.close()

    assert {"recover R.L", "tune R.L"} <= set(asyncio.run(work()))
