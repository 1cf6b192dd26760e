"""Snapshots come back bit for bit, or not at all."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from store_helpers import FILTER, LAYER, add, finish, make_run, root_of
from tampering import tamper

from store import (
    DamagedStoreError,
    SnapshotDamagedError,
    StoreFullError,
    TreeStore,
)
from store.sqlite import schema
from store.tables import snapshots
from store.tables.snapshots import PART_BYTES


def test_large_snapshot_is_stored_in_parts_and_once(store: TreeStore) -> None:
    content = random.Random(0).randbytes(9 * PART_BYTES + 100)
    for node in add(store, root_of(store)):
        finish(store, node, snapshot=content)
    address = store.snapshot_hash(node.id, "recovered")
    assert address == hashlib.sha256(content).hexdigest()
    assert store.snapshot(address) == content
    sizes = store._connection.rows(
        "SELECT length(data) FROM snapshot_chunk WHERE hash = ? ORDER BY position", (address,)
    )
    assert [row[0] for row in sizes] == [*[PART_BYTES] * 9, 100]


def test_what_is_acknowledged_is_synced_after_a_snapshot_and_after_one_that_failed(store) -> None:
    root = root_of(store)
    connection = store._connection._open_sqlite()
    node, _ = add(store, root)
    levels: list[int] = []
    connection.create_function(
        "seen", 0, lambda: levels.append(connection.execute("PRAGMA synchronous").fetchone()[0])
    )
    connection.execute("CREATE TEMP TRIGGER look AFTER INSERT ON main.result BEGIN SELECT seen();"
                       " END")  # fmt: skip
    finish(store, node, snapshot=random.Random(0).randbytes(17 * PART_BYTES))
    connection.execute("CREATE TEMP TRIGGER fail BEFORE INSERT ON main.snapshot_chunk BEGIN"
                       " SELECT RAISE(ABORT, 'here it fails'); END")  # fmt: skip
    with pytest.raises(DamagedStoreError, match="here it fails"):
        make_run(store, root_snapshot=b"another")
    levels.append(connection.execute("PRAGMA synchronous").fetchone()[0])
    full = 2
    assert levels == [full, full]


def test_a_store_with_parts_of_8_mib_gets_a_freed_snapshot_again_in_such_parts(
    store, monkeypatch
) -> None:
    content = random.Random(0).randbytes(9 * PART_BYTES)
    first, second = add(store, root_of(store))
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "PART_BYTES", schema.CHUNK_BYTES)  # as it once was
        finish(store, first, snapshot=content)
    store.drop(first.id)
    store.free()
    finish(store, second, snapshot=content)
    assert store.snapshot(store.snapshot_hash(second.id, "recovered")) == content


def test_empty_snapshot_comes_back(store: TreeStore) -> None:
    run = make_run(store, root_snapshot=b"")
    root = store.node(run.id, "R")
    assert store.snapshot(store.snapshot_hash(root.id, "root")) == b""


def test_flipped_bit_is_found_and_its_nodes_are_named(path: Path) -> None:
    content = random.Random(1).randbytes(300_000)
    with TreeStore.open(path, create=True) as store:
        layer, filters = add(store, root_of(store), LAYER, FILTER)
        finish(store, layer, snapshot=content)
        finish(store, filters)
        address = store.snapshot_hash(layer.id, "recovered")
    stored = bytearray(path.read_bytes())
    # The middle of a page of the chunk, where there is content and nothing else.
    stored[stored.index(content[200_000:200_064])] ^= 1
    path.write_bytes(stored)
    with TreeStore.open(path, read_only=True) as store:
        with pytest.raises(SnapshotDamagedError, match=rf"{address} of R\.L \(recovered, run 1\)"):
            store.snapshot(address)
        other = store.snapshot_hash(filters.id, "recovered")
        assert store.snapshot(other) == b"R.F recovered", "the rest can still be used"


def test_missing_part_is_found(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        address = store.snapshot_hash(root_of(store).id, "root")
    tamper(path, "DELETE FROM snapshot_chunk")
    with (
        TreeStore.open(path, read_only=True) as store,
        pytest.raises(DamagedStoreError, match="part 0 is missing"),
    ):
        store.snapshot(address)


def test_full_disk_is_named_and_work_goes_on_once_there_is_room(store: TreeStore) -> None:
    root = root_of(store)
    node, other = add(store, root)
    connection = store._connection._open_sqlite()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    content = random.Random(2).randbytes(3_000_000)
    connection.execute(f"PRAGMA max_page_count = {pages + 8}")
    before = store.nodes(root.run_id)
    with pytest.raises(StoreFullError, match="make room"):
        finish(store, node, snapshot=content)
    with pytest.raises(StoreFullError):
        for _ in range(1000):
            store.add_event(root.run_id, "note", {"text": "x" * 10_000})
    assert store.nodes(root.run_id) == before
    connection.execute("PRAGMA max_page_count = 1000000")
    assert finish(store, node, snapshot=content).state == "ready"
    assert store.snapshot(store.snapshot_hash(node.id, "recovered")) == content
    assert store.set_state(other.id, "running").state == "running"


def test_what_a_dead_writer_left_is_put_in_order(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        root = root_of(store)
        node, _ = add(store, root)
        store.set_state(node.id, "running")
        connection = store._connection._open_sqlite()
        connection.execute("CREATE TEMP TRIGGER stop BEFORE INSERT ON main.result"
                           " BEGIN SELECT RAISE(ABORT, 'here the power fails'); END")  # fmt: skip
        with pytest.raises(DamagedStoreError, match="here the power fails"):
            finish(store, node, snapshot=b"orphan")
        assert connection.execute("SELECT count(*) FROM snapshot_chunk").fetchone()[0] == 2
    with TreeStore.open(path) as store:
        assert store.node_by_id(node.id).state == "queued"
        assert store.events(root.run_id)[-1].kind == "interrupted"
        assert len(store._connection.rows("SELECT id FROM snapshot_chunk")) == 1
        assert store._connection.rows("SELECT * FROM upload") == []
        assert store.snapshot(store.snapshot_hash(root.id, "root")) == b"root tensors"
        finish(store, node, snapshot=b"orphan")
