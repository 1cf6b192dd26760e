"""Runs go from store to store, and nothing is lost on the way."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from random_trees import live, new_run, story
from store_helpers import FILTER, LAYER, add, decide, finish, make_run, root_of, start_python

from explorer.views.replay import Replay
from explorer.views.stored_nodes import node_views
from store import (
    InvalidValueError,
    SnapshotDamagedError,
    SnapshotFreedError,
    TreeStore,
)
from store.audit.verify import verify
from store.transfer.merge import merge
from store.transfer.pack import pack, pack_nodes


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return tmp_path / "other.pex.db"


def sound(path: Path) -> bool:
    """Whether nothing but the weights (which are no tensors here) is wrong."""
    return {finding.kind for finding in verify(path).findings} <= {"edit"}


def test_what_was_merged_is_what_was_there(path: Path, other: Path) -> None:
    for seed in range(6):
        draw = random.Random(seed)
        with TreeStore.open(other, create=True) as store:
            live(store, new_run(store, seed), draw, 80)
    with TreeStore.open(path, create=True) as store:
        live(store, new_run(store, 99), random.Random(99), 60)
        mine = story(store, store.runs()[0].uuid)
    merged = merge(path, other)
    assert [m.outcome for m in merged] == ["copied"] * 6
    with TreeStore.open(path) as ours, TreeStore.open(other, read_only=True) as theirs:
        assert story(ours, ours.runs()[0].uuid) == mine
        for run in theirs.runs():
            assert story(ours, run.uuid) == story(theirs, run.uuid)
        for node in ours.nodes(merged[-1].run_id):
            for phase in node.phases:
                ours.snapshot(ours.snapshot_hash(node.id, phase))
    assert sound(path)
    assert {m.outcome for m in merge(path, other)} == {"held"}


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_went_on_elsewhere_is_extended(path: Path, other: Path, seed: int) -> None:
    draw = random.Random(seed)
    with TreeStore.open(other, create=True) as store:
        run = new_run(store, seed)
        live(store, run, draw, 50)
    shutil.copy(other, path)
    with TreeStore.open(path):
        pass  # queues again what ran when the copy was made
    with TreeStore.open(other) as store:
        live(store, run, draw, 50)
        expected = story(store, run.uuid)
    (merged,) = merge(path, other)
    assert merged.outcome == "extended"
    with TreeStore.open(path) as store:
        assert story(store, run.uuid) == expected
    assert sound(path)
    # The longer one holds all of the shorter one, whichever way round.
    assert merge(other, path)[0].outcome == "held"


def test_runs_that_parted_are_refused_by_name_and_stay_as_they_are(path, other) -> None:
    with TreeStore.open(path, create=True) as store:
        run = make_run(store)
        add(store, root_of(store))
    shutil.copy(path, other)
    for file, edit in ((path, LAYER), (other, FILTER)):
        with TreeStore.open(file) as store:
            finish(store, store.node(run.id, "R.L"))
            add(store, store.node(run.id, "R.L"), edit)
    with TreeStore.open(path) as store:
        before = story(store, run.uuid)
    (merged,) = merge(path, other)
    assert merged.outcome == "refused" and "result of R.L" in merged.why
    with TreeStore.open(path) as store:
        assert story(store, run.uuid) == before


def test_weights_that_both_have_are_stored_once(path: Path, other: Path) -> None:
    for file, seed in ((path, 1), (other, 2)):
        with TreeStore.open(file, create=True) as store:
            make_run(store, seed=seed, root_snapshot=b"the same" * 1000)
    (merged,) = merge(path, other)
    assert merged.num_bytes == 0
    with TreeStore.open(path) as store:
        assert len(store._connection.rows("SELECT id FROM snapshot_chunk")) == 1


def test_freed_weights_stay_freed_and_are_named(path: Path, other: Path) -> None:
    with TreeStore.open(other, create=True) as store:
        run = make_run(store)
        layer, _ = (finish(store, node) for node in add(store, root_of(store)))
        store.drop(layer.id)
        store.free()
    with TreeStore.open(path, create=True):
        pass
    merge(path, other)
    with TreeStore.open(path) as store:
        node = store.node(run.id, "R.L")
        assert store.annotations(run.id)[node.id].freed
        replay = Replay.of(store, run.id)
        assert replay.nodes_at(len(replay.moments) - 1) == node_views(store, run.id)
        with pytest.raises(SnapshotFreedError, match=r"R\.L"):
            store.snapshot(store.snapshot_hash(node.id, "recovered"))
    assert sound(path)


def test_damaged_weights_are_named_and_nothing_of_their_run_is_taken(path, other) -> None:
    with TreeStore.open(other, create=True) as store:
        make_run(store, root_snapshot=b"the weights of the root")
    content = bytearray(other.read_bytes())
    content[content.index(b"the weights of the root")] ^= 1
    other.write_bytes(content)
    with TreeStore.open(path, create=True):
        pass
    with pytest.raises(SnapshotDamagedError, match="R"):
        merge(path, other)
    with TreeStore.open(path) as store:
        assert store.runs() == [] and store._connection.rows("SELECT id FROM snapshot_chunk") == []


def test_a_store_is_not_merged_into_itself(path: Path, store: TreeStore, tmp_path: Path) -> None:
    link = tmp_path / "link.pex.db"
    link.symlink_to(path)
    with pytest.raises(InvalidValueError, match="itself"):
        merge(path, link)


def test_a_merge_that_is_killed_loses_nothing_and_can_be_repeated(path, other) -> None:
    draw = random.Random(5)
    with TreeStore.open(other, create=True) as store:
        for seed in range(3):
            run = new_run(store, seed)
            for node in add(store, store.node(run.id, "R")):
                finish(store, node, snapshot=draw.randbytes(9_000_000))
    with TreeStore.open(path, create=True) as store:
        live(store, new_run(store, 9), draw, 40)
        mine = store.runs()[0].uuid
        before = story(store, mine)
    script = (
        "import sys\nfrom pathlib import Path\nfrom store.transfer.merge import merge\n"
        "print('go', flush=True)\nmerge(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    for _ in range(6):
        child = start_python(script, str(path), str(other))
        assert child.stdout is not None and child.stdout.readline()
        try:
            child.wait(timeout=draw.random() * 0.4)
        except subprocess.TimeoutExpired:
            child.kill()
        child.communicate()
        with TreeStore.open(path) as store:
            assert story(store, mine) == before
        assert sound(path)
    merge(path, other)
    with TreeStore.open(path) as ours, TreeStore.open(other, read_only=True) as theirs:
        for run in theirs.runs():
            assert story(ours, run.uuid) == story(theirs, run.uuid)


def test_a_packed_store_is_the_store_while_another_process_writes(path: Path, other: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        run = new_run(store, 1)
        live(store, run, random.Random(1), 60)
        before = story(store, run.uuid)
        steps = []

        def progress(done: int, total: int) -> None:
            steps.append((done, total))
            store.tag(store.node(run.id, "R").id, f"during {len(steps)}")

        pack(path, other, progress)
        assert steps and story(store, run.uuid) != before
    with TreeStore.open(other) as packed:
        assert story(packed, run.uuid) == before
    left = {p.name for p in other.parent.iterdir()}
    assert left == {"other.pex.db", "project.pex.db"}
    assert sound(other)


def test_nothing_is_packed_over_a_file(path: Path, other: Path, store: TreeStore) -> None:
    other.write_text("mine")
    for write in (lambda: pack(path, other), lambda: pack_nodes(path, other, 1, ["R"])):
        with pytest.raises(InvalidValueError, match="there already"):
            write()
    assert other.read_text() == "mine"


def test_packed_nodes_come_with_their_way_and_its_decisions(path: Path, other: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        root = root_of(store)
        layer, filters = (finish(store, node) for node in add(store, root))
        decide(store, root, layer, margin=0.25)
        below, _ = (finish(store, node) for node in add(store, layer))
        decide(store, layer, below)
        add(store, below)
        run = store.latest_run()
    pack_nodes(path, other, run.id, ["R.L.L"])
    with TreeStore.open(other) as packed:
        (found,) = packed.runs()
        nodes = {node.name: node for node in packed.nodes(found.id)}
        assert list(nodes) == ["R", "R.L", "R.F", "R.L.L", "R.L.F"]
        assert [d.margin for d in packed.decisions(found.id)] == [0.25, None]
        assert nodes["R.F"].metrics == filters.metrics and nodes["R.F"].kept is False
        content = packed.snapshot(packed.snapshot_hash(nodes["R.L.L"].id, "recovered"))
        assert content == b"R.L.L recovered"
        freed = {nodes_id for nodes_id, said in packed.annotations(found.id).items() if said.freed}
        assert freed == {nodes["R.F"].id, nodes["R.L.F"].id}
        replay = Replay.of(packed, found.id)
        assert replay.nodes_at(len(replay.moments) - 1) == node_views(packed, found.id)
        with pytest.raises(SnapshotFreedError):
            packed.snapshot(packed.snapshot_hash(nodes["R.L.F"].id, "recovered"))
    assert sound(other)
    assert merge(path, other)[0].outcome == "held"
