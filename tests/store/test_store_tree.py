"""Runs, nodes, results and decisions come back as they went in, detached and final."""

from __future__ import annotations

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from store_helpers import FILTER, LAYER, add, decide, finish, make_run, root_of, settings_of

from store import (
    FinishedNodeError,
    IllegalStateError,
    InvalidValueError,
    ReadOnlyStoreError,
    StoreClosedError,
    TreeStore,
    UnkeepableNodeError,
    UnknownNodeError,
    UnknownResultError,
    UnknownRunError,
    UnknownSnapshotError,
)


def kinds(store: TreeStore, run_id: int = 1) -> list[str]:
    return [event.kind for event in store.events(run_id)]


def test_run_comes_back_with_its_root_after_reopening(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        made = make_run(store, data={"mean": [0.5, math.inf], "name": "Zürich 猫"})
    with TreeStore.open(path, read_only=True) as store:
        assert store.runs() == [made] and store.latest_run() == made == store.run(made.id)
        root = store.node(made.id, "R")
        assert made.data == {"mean": [0.5, math.inf], "name": "Zürich 猫"}
        assert (root.structure, root.state, root.phases, root.kept) == (
            "root",
            "ready",
            ("root",),
            True,
        )
        assert root.edit is None and root.parent_id is None
        assert root.metrics == {"val_accuracy": 93.5, "macs": 1000.0}
        assert store.snapshot(store.snapshot_hash(root.id, "root")) == b"root tensors"


def test_new_store_has_no_latest_run(store: TreeStore) -> None:
    assert store.latest_run() is None and store.runs() == []


def test_equal_settings_and_environments_are_stored_once(store: TreeStore) -> None:
    make_run(store, settings={"a": 1, "b": 2})
    make_run(store, settings={"b": 2, "a": 1})
    database = store.database()
    assert database["settings"].count == database["environment"].count == 1
    database.close()


def test_extended_settings_keep_their_history(store: TreeStore) -> None:
    run = make_run(store)
    extended = store.extend_run_settings(run.id, {"iterations": 5})
    assert extended.settings == {"iterations": 5} == store.run(run.id).settings
    store.extend_run_settings(run.id, {"iterations": 5})
    assert settings_of(store, run.id) == [{"iterations": 3}, {"iterations": 5}]
    assert kinds(store) == ["run", "settings"]


def test_names_say_the_way_from_the_root(store: TreeStore) -> None:
    root = root_of(store)
    first = add(store, root, LAYER, FILTER, {"structure": "head"}, LAYER)
    assert [node.name for node in first] == ["R.L", "R.F", "R.H", "R.L2"]
    second = add(store, root)
    assert [node.name for node in second] == ["R.L3", "R.F2"]
    deeper = add(store, finish(store, second[0]))
    assert [(node.name, node.depth) for node in deeper] == [("R.L3.L", 2), ("R.L3.F", 2)]
    assert [node.name for node in store.lineage(deeper[1].id)] == ["R", "R.L3", "R.L3.F"]
    assert [node.name for node in store.children(root.id)] == [node.name for node in first + second]


def test_same_names_in_another_run_are_other_nodes(store: TreeStore) -> None:
    first, second = make_run(store), make_run(store)
    add(store, store.node(second.id, "R"))
    assert [node.name for node in store.nodes(first.id)] == ["R"]
    assert [node.name for node in store.nodes(second.id)] == ["R", "R.L", "R.F"]


def test_proposal_keeps_its_scores(store: TreeStore) -> None:
    root = root_of(store)
    scores = {"criterion": "kl", "scores": {"layer1.0": math.nan, "layer1.1": 0.1}}
    store.add_candidates(root.id, proposal=scores, edits=[LAYER])
    (proposal,) = store.proposals(root.id)
    assert math.isnan(proposal.content["scores"].pop("layer1.0"))
    assert proposal.content == {"criterion": "kl", "scores": {"layer1.1": 0.1}}


def test_results_merge_with_tuned_winning_and_similarity_surviving(store: TreeStore) -> None:
    candidate, _ = add(store, root_of(store))
    store.set_state(candidate.id, "running")
    recovered = finish(store, candidate, seconds=1.5)
    assert (recovered.state, recovered.phases) == ("ready", ("recovered",))
    tuned = finish(store, candidate, "tuned", seconds=2.0)
    assert tuned.phases == ("recovered", "tuned") and tuned.seconds == 3.5
    assert tuned.metrics == {"val_accuracy": 92.0, "similarity": 0.9}
    assert store.metrics_of(candidate.id, "recovered")["val_accuracy"] == 90.0
    assert store.metrics_of(candidate.id, "tuned") == {"val_accuracy": 92.0}
    assert store.resamples(candidate.id, "recovered") == [0.25, 0.5]
    assert [(row.phase, row.number, row.values) for row in store.epochs(candidate.id)] == [
        (phase, number, {"loss": loss})
        for phase in ("recovered", "tuned")
        for number, loss in enumerate((0.5, 0.25))
    ]
    assert store.snapshot(store.snapshot_hash(candidate.id, "tuned")) == b"R.L tuned"


def test_numbers_that_are_not_finite_come_back(store: TreeStore) -> None:
    candidate, _ = add(store, root_of(store))
    metrics = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 5e-324, "e": 1.7e308, "f": 3}
    finish(store, candidate, metrics=metrics, epochs=[{"loss": math.inf}], resamples=[-math.inf, 1])
    read = store.node_by_id(candidate.id).metrics
    assert math.isnan(read.pop("a"))
    assert read == {"b": math.inf, "c": -math.inf, "d": 5e-324, "e": 1.7e308, "f": 3.0}
    assert store.epochs(candidate.id)[0].values == {"loss": math.inf}
    assert store.resamples(candidate.id, "recovered") == [-math.inf, 1.0]
    assert finish(
        store, candidate, metrics=metrics, epochs=[{"loss": math.inf}], resamples=[-math.inf, 1]
    ), "the same again is no change, NaN included"


def test_same_result_again_changes_nothing_and_another_is_refused(store: TreeStore) -> None:
    candidate, _ = add(store, root_of(store))
    once = finish(store, candidate)
    events = store.events(once.run_id)
    assert finish(store, candidate) == once
    assert store.events(once.run_id) == events
    for change in ({"metrics": {"val_accuracy": 1.0}}, {"snapshot": b"?"}, {"epochs": []}):
        with pytest.raises(FinishedNodeError, match=r"R\.L has a recovered result already"):
            finish(store, candidate, **change)
    assert store.node_by_id(candidate.id) == once


def test_snapshot_by_hash_must_be_stored_and_must_agree(store: TreeStore) -> None:
    root = root_of(store)
    candidate, _ = add(store, root)
    with pytest.raises(UnknownSnapshotError):
        finish(store, candidate, snapshot=None, snapshot_hash="0" * 64)
    with pytest.raises(InvalidValueError, match="changed on their way"):
        finish(store, candidate, snapshot_hash="0" * 64)
    with pytest.raises(InvalidValueError, match="needs its snapshot"):
        finish(store, candidate, snapshot=None)
    shared = store.snapshot_hash(root.id, "root")
    finish(store, candidate, snapshot=None, snapshot_hash=shared)
    assert store.snapshot_hash(candidate.id, "recovered") == shared


@pytest.mark.parametrize("phase", ["root", "done"])
def test_only_recovered_and_tuned_can_be_finished(store: TreeStore, phase: Any) -> None:
    candidate, _ = add(store, root_of(store))
    with pytest.raises(InvalidValueError, match=repr(phase)):
        finish(store, candidate, phase)


def test_states_change_only_as_they_may(store: TreeStore) -> None:
    root = root_of(store)
    node, other = add(store, root)
    with pytest.raises(IllegalStateError):
        finish(store, node, "tuned")
    with pytest.raises(IllegalStateError, match="only a ready node"):
        add(store, node)
    assert store.set_state(node.id, "running").state == "running"
    failed = store.set_state(node.id, "failed", "out of memory")
    assert (failed.state, failed.error) == ("failed", "out of memory")
    with pytest.raises(IllegalStateError, match="only queued"):
        store.set_state(node.id, "running")
    with pytest.raises(IllegalStateError):
        finish(store, node)
    assert store.set_state(node.id, "queued").error is None
    finish(store, node)
    for state in ("queued", "running", "cancelled"):
        with pytest.raises(IllegalStateError):
            store.set_state(node.id, state)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError):
        store.set_state(other.id, "ready")
    with pytest.raises(InvalidValueError):
        store.set_state(other.id, "failed")
    with pytest.raises(IllegalStateError):
        finish(store, root, "tuned")


def test_decision_says_what_is_kept_and_a_later_one_supersedes_it(store: TreeStore) -> None:
    root = root_of(store)
    layer, filters = add(store, root)
    finish(store, layer)
    finish(store, filters)
    assert [node.kept for node in store.children(root.id)] == [None, None]
    first = decide(
        store, root, layer, suggested=filters.id, actor="cka", margin=0.5, margin_low=-0.1,
        margin_high=0.75, too_close=True,
    )  # fmt: skip
    assert (first.margin, first.margin_low, first.margin_high) == (0.5, -0.1, 0.75)
    assert first.too_close is True and first.suggested == filters.id
    assert [(n.kept, n.decided_by) for n in store.children(root.id)] == [
        (True, "cka"),
        (False, "cka"),
    ]
    late, _ = add(store, root)
    assert store.node_by_id(late.id).kept is None
    second = decide(store, root, filters, layer, actor="user")
    assert second.supersedes == first.id and second.kept == (layer.id, filters.id)
    assert second.candidates[-1] > late.id
    assert [node.kept for node in store.children(root.id)] == [True, True, False, False]
    third = decide(store, root)
    assert store.decision_of(root.id) == third and third.kept == ()
    assert store.decisions(root.run_id) == [first, second, third]
    assert {node.kept for node in store.children(root.id)} == {False}
    assert store.node_by_id(root.id).kept is True
    assert store.decision_of(layer.id) is None


def test_only_ready_candidates_of_the_parent_are_kept(store: TreeStore) -> None:
    root = root_of(store)
    layer, filters = add(store, root)
    finish(store, layer)
    (deeper, _) = add(store, layer)
    for wrong in ([filters], [deeper], [root], [layer, layer]):
        with pytest.raises(UnkeepableNodeError, match=r"R\.L \(id 2, ready\)"):
            decide(store, root, *wrong)
    with pytest.raises(UnkeepableNodeError):
        decide(store, root, suggested=deeper.id)
    assert store.decisions(root.run_id) == []


def test_margin_that_is_not_a_number_is_unknown(store: TreeStore) -> None:
    root = root_of(store)
    assert decide(store, root, margin=math.nan).margin is None


def test_log_tells_the_whole_story(store: TreeStore) -> None:
    root = root_of(store)
    node, _ = add(store, root)
    store.set_state(node.id, "running")
    store.set_state(node.id, "running")
    finish(store, node)
    decide(store, root, node)
    said = store.add_event(root.run_id, "note", {"text": "x'; DROP TABLE node"}, node.id)
    assert kinds(store) == ["run", "candidates", "state", "result", "decision", "note"]
    assert store.events(root.run_id, after=said.id - 1) == [said]
    assert said.payload == {"text": "x'; DROP TABLE node"} and said.node_id == node.id
    assert said.created_at.endswith("+00:00") and len(said.created_at) == 32


def test_values_are_frozen_and_detached(store: TreeStore) -> None:
    root = root_of(store)
    edit = {"structure": "layer", "blocks": ["layer1.0"]}
    (node,) = add(store, root, edit)
    edit["blocks"] = []
    with pytest.raises(dataclasses.FrozenInstanceError):
        node.state = "ready"  # type: ignore[misc]
    assert node.edit is not None
    node.edit["blocks"].append("layer9.9")
    store.run(root.run_id).settings["iterations"] = 99
    root.metrics.clear()
    assert store.node_by_id(node.id).edit == LAYER
    assert store.run(root.run_id).settings == {"iterations": 3}
    assert store.node_by_id(root.id).metrics


def test_unknown_names_are_answered_with_near_ones(store: TreeStore) -> None:
    root = root_of(store)
    add(store, root)
    with pytest.raises(UnknownNodeError, match=r"did you mean .*R\.L"):
        store.node(root.run_id, "r.l")
    with pytest.raises(UnknownNodeError, match="it has R, R"):
        store.node(root.run_id, "zzz")
    with pytest.raises(UnknownRunError, match=r"1 \(resnet56\)"):
        store.nodes(99)
    with pytest.raises(UnknownNodeError, match="99"):
        store.lineage(99)
    with pytest.raises(UnknownResultError, match="it has root"):
        store.snapshot_hash(root.id, "tuned")
    with pytest.raises(UnknownSnapshotError):
        store.snapshot("0" * 64)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": "../../x"},
        {"name": "\ud800"},
        {"seed": -1},
        {"seed": 2**63},
        {"settings": {"a": object()}},
        {"settings": {1: "a"}},
        {"settings": [1]},
        {"root_metrics": {"val_accuracy": "high"}},
    ],
)
def test_values_that_cannot_be_stored_are_refused_whole(
    store: TreeStore, change: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValueError):
        make_run(store, **change)
    assert store.runs() == []


def test_candidates_are_stored_all_or_none(store: TreeStore) -> None:
    root = root_of(store)
    with pytest.raises(InvalidValueError, match="'Chanel 5'"):
        add(store, root, LAYER, {"structure": "Chanel 5"})
    assert store.children(root.id) == [] and store.proposals(root.id) == []
    assert kinds(store) == ["run"]


def test_reader_writes_nothing_and_closed_store_says_so(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        root = root_of(store)
    with TreeStore.open(path, read_only=True) as reader, pytest.raises(ReadOnlyStoreError):
        add(reader, root)
    with pytest.raises(StoreClosedError, match="open it again"):
        store.runs()
    store.close()


def test_reads_take_the_same_number_of_queries_however_many_nodes(store: TreeStore) -> None:
    root = root_of(store)
    statements: list[str] = []

    def count() -> int:
        connection = store._connection._open_sqlite()
        connection.set_trace_callback(statements.append)
        store.nodes(root.run_id)
        connection.set_trace_callback(None)
        seen = len(statements)
        statements.clear()
        return seen

    before = count()
    for node in add(store, root) + add(store, root):
        finish(store, node)
    assert count() == before


def test_threads_share_a_store(store: TreeStore) -> None:
    root = root_of(store)
    nodes = [node for _ in range(4) for node in add(store, root)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda node: finish(store, node, snapshot=bytes(100_000)), nodes))
    assert {node.state for node in store.children(root.id)} == {"ready"}
    assert len(store.events(root.run_id)) == 1 + 4 + 8
