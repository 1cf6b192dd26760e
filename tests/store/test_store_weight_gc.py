"""Weights of dropped nodes can go; nothing that is still needed ever goes."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from small_tensors import FILTER, LAYER, ROOT, WITHOUT_LAYER, grow, tensors
from store_helpers import finish, make_run

from store import ReadOnlyStoreError, SnapshotFreedError, TreeStore
from store.audit.verify import verify


@pytest.fixture
def nodes(store: TreeStore):
    return grow(store)


def weights(store: TreeStore) -> dict[str, bytes]:
    """Each node's weights that are there, by name and phase."""
    found = {}
    for run in store.runs():
        for node in store.nodes(run.id):
            for phase in node.phases:
                try:
                    content = store.snapshot(store.snapshot_hash(node.id, phase))
                    found[f"{run.id} {node.name} {phase}"] = content
                except SnapshotFreedError:
                    continue
    return found


def test_weights_of_a_dropped_subtree_go_and_its_rows_stay(store, nodes) -> None:
    before, rows = weights(store), store.nodes(1)
    store.drop(nodes["R.L"].id)
    told = store.freeable()
    assert {r.name for r in told.results} == {"R.L", "R.L.F", "R.L.F2"}
    assert store.free() == told
    left = {key: content for key, content in before.items() if " R.L" not in key}
    assert weights(store) == left and set(left) == {"1 R root", "1 R.F recovered"}
    assert store.nodes(1) == rows
    assert {i for i, said in store.annotations(1).items() if said.freed} == {
        nodes[name].id for name in ("R.L", "R.L.F", "R.L.F2")
    }
    assert store.freeable().results == () and store.free().num_bytes == 0
    with pytest.raises(SnapshotFreedError, match=r"R\.L \(tuned, run 1\) were freed"):
        store.snapshot(store.snapshot_hash(nodes["R.L"].id, "tuned"))
    store.close()
    found = verify(store.path)
    assert found.findings == () and {name for _, name in found.freed} == {"R.L", "R.L.F", "R.L.F2"}
    assert {name for _, name in found.usable} == {"R", "R.F"}


def test_without_a_drop_nothing_goes_and_what_was_brought_back_stays(store, nodes) -> None:
    before = weights(store)
    store.drop(nodes["R.L"].id)
    store.drop(nodes["R.L"].id, on=False)
    assert store.free().results == () and weights(store) == before


def test_weights_that_another_node_shares_stay(store, nodes) -> None:
    (twin,) = store.add_candidates(nodes["R"].id, proposal={}, edits=[LAYER])
    finish(store, twin, snapshot=tensors(WITHOUT_LAYER, 3))  # as the tuned R.L
    store.drop(nodes["R.L"].id)
    store.free()
    shared = store.snapshot_hash(twin.id, "recovered")
    assert store.snapshot(shared) == tensors(WITHOUT_LAYER, 3)
    assert shared == store.snapshot_hash(nodes["R.L"].id, "tuned")
    store.drop(twin.id)
    store.free()
    with pytest.raises(SnapshotFreedError):
        store.snapshot(shared)


def test_a_node_with_work_below_it_keeps_its_weights(store, nodes) -> None:
    (waiting,) = store.add_candidates(nodes["R.L"].id, proposal={}, edits=[FILTER])
    store.drop(nodes["R.L"].id)
    assert {r.name for r in store.freeable().results} == {"R.L.F", "R.L.F2"}
    store.set_state(waiting.id, "cancelled")
    assert {r.name for r in store.freeable().results} == {"R.L", "R.L.F", "R.L.F2"}


def test_freed_weights_can_be_made_again_by_another_node(store, nodes) -> None:
    content = store.snapshot(store.snapshot_hash(nodes["R.F"].id, "recovered"))
    store.drop(nodes["R.F"].id)
    store.free()
    (again,) = store.add_candidates(nodes["R"].id, proposal={}, edits=[FILTER])
    finish(store, again, snapshot=content)
    assert store.snapshot(store.snapshot_hash(again.id, "recovered")) == content
    store.close()
    with TreeStore.open(store.path) as reopened:
        assert reopened.snapshot(reopened.snapshot_hash(again.id, "recovered")) == content
    assert verify(store.path).findings == ()


def test_a_crash_in_between_is_finished_at_the_next_opening(store, nodes, monkeypatch) -> None:
    store.drop(nodes["R.F"].id)
    monkeypatch.setattr("store.tables.snapshots.remove_unreferenced", lambda connection: 0)
    store.free()  # marked, and here the power fails
    store.close()
    monkeypatch.undo()
    count = "SELECT count(*) FROM snapshot_chunk"
    with TreeStore.open(store.path) as reopened:
        assert reopened._connection.rows(count)[0][0] == 5
    assert verify(store.path).findings == ()


def test_the_file_becomes_smaller(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        run = make_run(store, root_snapshot=tensors(ROOT))
        root = store.node(run.id, "R")
        (node,) = store.add_candidates(root.id, proposal={}, edits=[LAYER])
        finish(store, node, snapshot=random.Random(0).randbytes(20_000_000))
        store.drop(node.id)
        store.free()
        store.shrink()
    assert path.stat().st_size < 1_000_000
    assert verify(path).findings == ()
    with TreeStore.open(path, read_only=True) as store, pytest.raises(ReadOnlyStoreError):
        store.shrink()


def test_no_program_can_delete_weights_in_use_or_take_back_that_they_were_freed(
    store, nodes
) -> None:
    store.drop(nodes["R.F"].id)
    store.free()
    store.close()
    raw = sqlite3.connect(store.path)
    for statement in (
        "DELETE FROM snapshot_chunk",
        "DELETE FROM freed",
        "UPDATE freed SET phase=1",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statement)
    raw.close()


@pytest.mark.parametrize("seed", range(8))
def test_random_trees_lose_exactly_the_weights_of_dropped_nodes(store, seed) -> None:
    draw = random.Random(seed)
    run = make_run(store, root_snapshot=b"0")
    for _ in range(25):
        ready = [n for n in store.nodes(run.id) if n.state == "ready"]
        (node,) = store.add_candidates(draw.choice(ready).id, proposal={}, edits=[LAYER])
        finish(store, node, snapshot=str(draw.randrange(12)).encode())
    for node in store.nodes(run.id)[1:]:
        if draw.random() < 0.15:
            store.drop(node.id)
    dropped = {i for i, said in store.annotations(run.id).items() if said.dropped}
    gone: set[int] = set()
    for node in store.nodes(run.id):  # parents come first
        if node.id in dropped or node.parent_id in gone:
            gone.add(node.id)
    needed = {
        store.snapshot_hash(node.id, phase)
        for node in store.nodes(run.id) if node.id not in gone for phase in node.phases
    }  # fmt: skip
    store.free()
    there = {row[0] for row in store._connection.rows("SELECT hash FROM snapshot_chunk")}
    assert there == needed
