"""Algorithm 1 through the session, with the real engine and the real store."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from small import OPTIONS, request_of, write_data, write_network

from engine.contracts.errors import UsageError
from engine.contracts.settings import Settings, with_values
from explorer.executors.errors import JobFailedError, WorkerDiedError
from explorer.executors.in_process import InProcessExecutor
from explorer.session.data_places import DataNotFoundError
from explorer.session.errors import CandidatesFailedError
from explorer.session.events import JobAdopted, JobRetried, RunResumed, SessionEvent
from explorer.session.open_run import Request, open_session
from explorer.session.search import grow_tree
from explorer.session.session import Session
from explorer.views.best_node import best
from explorer.views.kept_path import kept_path
from explorer.views.stored_nodes import node_views
from store import TreeStore


class Recording(InProcessExecutor):
    """Counts jobs by kind and can be told to fail."""

    def __init__(self, spool: Path) -> None:
        super().__init__(spool)
        self.kinds: list[str] = []
        self.failures: list[Exception] = []

    async def run(self, request, on_event):
        self.kinds.append(request.job.KIND)
        if self.failures and request.job.KIND != "open":
            raise self.failures.pop(0)
        return await super().run(request, on_event)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def grow(request: Request, prepare=lambda session: None):
    """Grows the tree; gives (outcome, session's nodes as JSON, executor, session)."""
    heard: list[SessionEvent] = []

    async def work():
        session = await open_session(request, Recording, heard.append)
        prepare(session)
        try:
            outcome = await grow_tree(session)
            return outcome, node_views(session.store, session.run.id), session
        finally:
            session.store.close()

    outcome, nodes, session = asyncio.run(work())
    return outcome, nodes, session.executor, heard


def fingerprint(nodes) -> list:
    """What must be equal between two runs of the same seed."""
    # What a clock measures is of the machine, not of the network.
    return [
        {k: v for k, v in node.as_json().items() if k != "seconds" and not k.startswith("latency")}
        for node in nodes
    ]


def snapshots(store: Path) -> dict:
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        return {
            (n.name, phase): opened.snapshot_hash(n.id, phase)
            for n in opened.nodes(run.id)
            for phase in n.phases
        }


@pytest.fixture(scope="module")
def grown(files, tmp_path_factory):
    store = tmp_path_factory.mktemp("grown") / "tree.pex.db"
    return store, *grow(request_of(files, store))


def test_each_parent_has_both_candidates_and_keeps_the_more_similar(grown):
    _, outcome, nodes, _, _ = grown
    assert outcome.stopped == "iterations: 2 done"
    for parent in [n for n in nodes if n.decision]:
        children = {n.structure: n for n in nodes if n.parent == parent.name}
        assert set(children) == {"layer", "filter"}
        layer, filters = children["layer"], children["filter"]
        assert layer.kept == (layer.similarity >= filters.similarity)
        assert filters.kept == (not layer.kept)
        margin = parent.margin
        assert margin.value == layer.similarity - filters.similarity
        assert margin.low <= margin.high
        assert margin.too_close == (margin.low <= 0 <= margin.high)


def test_candidates_are_of_matched_capacity(grown):
    store, *_ = grown
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        children = opened.children(opened.node(run.id, "R").id)
    (layer,) = [c for c in children if c.structure == "layer"]
    (filters,) = [c for c in children if c.structure == "filter"]
    stage = layer.edit["blocks"][0].split(".")[0]
    removed = sum(len(indices) for indices in filters.edit["filters"].values())
    assert removed == {"layer1": 8, "layer2": 12}[stage]  # conv1 and conv2 of that block


def test_the_same_seed_gives_the_same_tree_bit_for_bit(files, grown, tmp_path):
    store, _, nodes, _, _ = grown
    again = tmp_path / "again.pex.db"
    _, other, _, _ = grow(request_of(files, again))
    assert fingerprint(other) == fingerprint(nodes)
    assert snapshots(again) == snapshots(store)


def test_another_seed_gives_other_weights(files, grown, tmp_path):
    store, *_ = grown
    other = tmp_path / "other.pex.db"
    grow(request_of(files, other, seed=7))
    assert snapshots(other)[("R", "root")] == snapshots(store)[("R", "root")]
    assert snapshots(other)[("R.L", "recovered")] != snapshots(store)[("R.L", "recovered")]


def test_a_longer_run_goes_on_and_ends_as_if_grown_in_one_go(files, grown, tmp_path):
    part, whole = tmp_path / "part.pex.db", grown[0]
    grow(request_of(files, part, iterations=1))
    _, nodes, executor, heard = grow(request_of(files, part, iterations=2))
    assert "open" not in executor.kinds and executor.kinds.count("recover") == 2
    assert any(isinstance(e, RunResumed) for e in heard)
    assert fingerprint(nodes) == fingerprint(grown[2])
    assert snapshots(part) == snapshots(whole)


def test_a_finished_run_asks_for_no_work(files, grown):
    _, nodes, executor, _ = grow(request_of(files, grown[0]))
    assert executor.kinds == []
    assert fingerprint(nodes) == fingerprint(grown[2])


def test_the_store_alone_resumes_with_the_settings_it_was_started_with(files, grown):
    request = Request(str(grown[0]), overrides={"iterations": 2})
    _, nodes, executor, _ = grow(request)
    assert executor.kinds == [] and fingerprint(nodes) == fingerprint(grown[2])
    with pytest.raises(UsageError, match="--criterion is fixed"):
        grow(Request(str(grown[0]), overrides={"criterion": "l1"}))


@pytest.mark.parametrize("policy", ["layers", "filters", "random", "layers-first"])
def test_policies_grow_only_what_they_keep(files, tmp_path, policy):
    store = tmp_path / "tree.pex.db"
    _, nodes, executor, _ = grow(request_of(files, store, policy=policy, iterations=2))
    path = [n.structure for n in kept_path(nodes)[1:]]
    assert executor.kinds.count("recover") == len(path)
    assert all(n.decided_by == policy for n in nodes if n.kept and n.parent)
    why = {"layers": "only layers", "filters": "only filters", "random": "a fair coin",
           "layers-first": "layers come first"}[policy]  # fmt: skip
    assert {n.decision.reason for n in kept_path(nodes)[:-1]} == {why}
    if policy == "layers":
        assert path == ["layer", "layer"]
    if policy == "filters":
        assert path == ["filter", "filter"]


def test_layers_end_when_none_may_go_and_layers_first_takes_filters_then(files, tmp_path):
    options = {"iterations": 6, "recovery_epochs": 0, "tune_epochs": 0, "min_blocks": 2}
    outcome, nodes, _, _ = grow(
        request_of(files, tmp_path / "l.pex.db", policy="layers", **options)
    )
    assert outcome.stopped == "no layer left that may be removed"
    assert [n.structure for n in kept_path(nodes)[1:]] == ["layer", "layer"]
    outcome, nodes, _, _ = grow(
        request_of(files, tmp_path / "f.pex.db", policy="layers-first", **options)
    )
    structures = [n.structure for n in kept_path(nodes)[1:]]
    assert structures[:3] == ["layer", "layer", "filter"]


def test_a_tree_ends_when_no_structure_is_left(files, tmp_path):
    options = {"iterations": 50, "recovery_epochs": 0, "tune_epochs": 0, "criterion": "l1"}
    outcome, nodes, _, _ = grow(request_of(files, tmp_path / "end.pex.db", **options))
    assert outcome.stopped == "no structure left that may be removed"
    tip = kept_path(nodes)[-1]
    assert tip.macs_reduction > 50


def test_target_macs_and_max_drop_stop_and_say_so(files, tmp_path):
    outcome, nodes, _, _ = grow(
        request_of(files, tmp_path / "t.pex.db", target_macs=20, iterations=9)
    )
    assert outcome.stopped.startswith("target-macs: ")
    path = kept_path(nodes)
    assert path[-1].macs_reduction >= 20 > path[-2].macs_reduction


def test_target_params_stops_once_so_many_are_gone(files, tmp_path):
    outcome, nodes, _, _ = grow(
        request_of(files, tmp_path / "t.pex.db", target_params=40, iterations=9)
    )
    found = re.fullmatch(r"target-params: ([\d.]+) % of the parameters are gone", outcome.stopped)
    root, *_, before, last = (node.metrics["params"] for node in kept_path(nodes))
    assert found and float(found[1]) == pytest.approx(100 * (1 - last / root), abs=0.01)
    assert 1 - last / root >= 0.40 > 1 - before / root


def test_max_drop_stops_at_the_first_node_below_and_best_is_above(files, tmp_path):
    # Untrained and barely tuned: some step loses more than nothing sooner or later.
    options = {"iterations": 8, "max_drop": 0.0, "learning_rate": 1e-9, "policy": "filters"}
    outcome, nodes, _, _ = grow(request_of(files, tmp_path / "m.pex.db", **options))
    path = kept_path(nodes)
    floor = path[0].val_accuracy
    if outcome.stopped.startswith("max-drop: "):
        assert path[-1].val_accuracy < floor
    assert all(node.val_accuracy >= floor for node in path[:-1])
    chosen = best(nodes, with_values(Settings(), {"max_drop": 0.0}))
    above = [n for n in path[1:] if n.val_accuracy >= floor]
    assert chosen.metrics["macs"] == min(
        (n.metrics["macs"] for n in above), default=chosen.metrics["macs"]
    )


def test_a_dead_worker_is_replaced_and_the_job_tried_again(files, tmp_path):
    def kill_twice(session: Session) -> None:
        session.executor.failures = [WorkerDiedError("killed")] * 2

    _, nodes, _, heard = grow(
        request_of(files, tmp_path / "d.pex.db", iterations=1), prepare=kill_twice
    )
    assert [e.attempt for e in heard if isinstance(e, JobRetried)] == [1, 2]
    assert all(n.state == "ready" for n in nodes)


def test_a_failed_candidate_is_kept_by_name_and_tried_again_later(files, tmp_path):
    store = tmp_path / "f.pex.db"

    def fail_a_recovery(session: Session) -> None:
        run = session.executor.run

        async def run_or_fail(request, on_event):
            if request.label == "recover R.L":
                raise JobFailedError("diverged", "the loss became nan")
            return await run(request, on_event)

        session.executor.run = run_or_fail

    with pytest.raises(CandidatesFailedError, match=r"R\.L: the loss became nan"):
        grow(request_of(files, store, iterations=1), prepare=fail_a_recovery)
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        assert opened.node(run.id, "R.L").state == "failed"
        assert opened.node(run.id, "R.F").state == "ready"  # its sibling's work is not lost
    _, nodes, executor, _ = grow(request_of(files, store, iterations=1))
    assert executor.kinds.count("recover") == 1
    assert all(n.state == "ready" for n in nodes)


def test_finished_work_that_a_crash_left_in_the_spool_is_taken_over(files, tmp_path):
    store = tmp_path / "a.pex.db"

    def crash_before_storing(session: Session) -> None:
        def die(*args, **kwargs):
            raise KeyboardInterrupt  # nothing after the engine's result is reached

        session.store.finish = die

    with pytest.raises(KeyboardInterrupt):
        grow(request_of(files, store, iterations=1), prepare=crash_before_storing)
    _, nodes, executor, heard = grow(request_of(files, store, iterations=1))
    adopted = [e.node for e in heard if isinstance(e, JobAdopted)]
    assert adopted and executor.kinds.count("recover") == 2 - len(adopted)
    assert all(n.state == "ready" for n in nodes)
    assert not list(tmp_path.glob("a.pex.db.spool/*.json"))


def test_a_changed_data_set_is_refused_before_work_is_done(files, tmp_path):
    model, _ = files
    data = write_data(tmp_path)
    store = tmp_path / "c.pex.db"
    overrides = {**OPTIONS, "data": str(data), "iterations": 1}
    grow(Request(str(model), store=store, overrides=overrides))
    write_data(tmp_path, num_train=120)
    with pytest.raises(DataNotFoundError, match=r"bars\.npz holds other images: .*108 images"):
        grow(Request(str(store), overrides={"iterations": 2}))
