"""Nodes of a real tree, made again: the same bits, other bits, and other machines."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest
from regrown import grow, names, rewrite, set_environment
from small import write_data

from engine.contracts.errors import UsageError
from engine.contracts.events import Noted
from explorer.executors.in_process import InProcessExecutor
from explorer.session.artifacts import Artifacts
from explorer.session.data_places import DataNotFoundError
from explorer.session.documents import RunDocument
from explorer.session.events import ignore
from explorer.session.reproduce import Reexecution, reexecute
from store import SnapshotDamagedError, SnapshotFreedError, TreeStore


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Path:
    return grow(tmp_path_factory.mktemp("grown"))


@pytest.fixture
def path(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(grown, tmp_path / "tree.pex.db"))


def again(path: Path, name: str, heard: list | None = None) -> Reexecution:
    spool = path.with_name("elsewhere")
    with TreeStore.open(path, read_only=True) as store:
        document = RunDocument.of(store.latest_run())
        emit = ignore if heard is None else heard.append
        executor = InProcessExecutor(spool)
        return asyncio.run(reexecute(Artifacts(store, spool), document, name, executor, emit))


def test_both_snapshots_of_a_kept_node_are_made_again_bit_for_bit(path):
    before, (kept, _) = path.read_bytes(), names(path)
    found = again(path, kept)
    assert [one.phase for one in found.remade] == ["recovered", "tuned"]
    assert all(one.identical and not one.metrics for one in found.remade)
    assert found.verdict == "identical" and found.environment == {}
    assert path.read_bytes() == before  # the store is only read


def test_a_rejected_node_and_one_far_below_the_root_are_made_again_too(path):
    kept, rejected = names(path)
    for name in (rejected, f"{kept}.F"):
        found = again(path, name)
        assert found.remade[0].phase == "recovered" and found.verdict == "identical"


def test_what_the_same_environment_does_not_make_again_is_different(path):
    rewrite(path, ("UPDATE run SET seed = 99",))  # as if these weights came from elsewhere
    found = again(path, names(path)[1])
    (remade,) = found.remade
    assert not remade.identical and remade.sha256 != remade.stored_sha256
    assert found.verdict == "different"


def test_a_measurement_that_was_changed_is_told_though_the_weights_are_the_same(path):
    name = names(path)[1]
    rewrite(path, ("UPDATE metric SET value = 0.5 WHERE name = 'similarity' AND node_id ="
                   " (SELECT id FROM node WHERE name = ?)", (name,)))  # fmt: skip
    found = again(path, name)
    (remade,) = found.remade
    assert remade.identical and remade.metrics.keys() == {"similarity"}
    assert remade.metrics["similarity"][0] == 0.5 and found.verdict == "different"


def test_another_environment_makes_equivalent_nodes_and_says_what_differs(path):
    set_environment(path, torch="1.0", instruction_set="AVX9")
    assert again(path, names(path)[1]).verdict == "identical"  # the bits say more than the names
    rewrite(path, ("UPDATE run SET seed = 99",))
    found = again(path, names(path)[1])
    assert found.verdict == "equivalent"
    assert found.environment.keys() == {"torch", "instruction_set"}
    assert found.environment["torch"][0] == "1.0"
    assert found.remade[0].metrics.keys() >= {"similarity", "val_loss"}


def test_a_tree_of_a_device_that_is_not_here_is_made_again_on_one_that_is(path):
    heard: list = []
    set_environment(path, device="cuda:99")
    found = again(path, names(path)[1], heard)
    assert found.environment["device"][0] == "cuda:99"
    assert found.verdict in ("identical", "equivalent")
    (note,) = [event.text for event in heard if isinstance(event, Noted)]
    assert "cuda:99" in note and "is used instead" in note


def test_threads_and_dtype_of_the_run_are_taken_over_not_those_of_this_machine(path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with TreeStore.open(path, read_only=True) as store:
        assert store.latest_run().environment["num_threads"] != 7
    found = again(path, names(path)[1])
    assert found.environment == {} and found.verdict == "identical"


def test_other_data_are_refused(path):
    images = dict(np.load(write_data(path.parent)))
    images["x_train"][0] += 1
    other = path.with_name("other.npz")
    np.savez(other, **images)
    with TreeStore.open(path) as store:
        run = store.latest_run()
        data = {**run.settings["data"], "source": str(other)}
        store.extend_run_settings(run.id, {**run.settings, "data": data})
    with pytest.raises(DataNotFoundError, match=r"other\.npz holds other images"):
        again(path, names(path)[1])


def test_a_damaged_parent_is_named(path):
    with TreeStore.open(path, read_only=True) as store:
        root = store.node(store.latest_run().id, "R")
        content = store.snapshot(store.snapshot_hash(root.id, "root"))
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(content[-64:])] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(SnapshotDamagedError, match="R"):
        again(path, names(path)[0])


def test_freed_weights_can_be_made_again_to_the_same_bits(path):
    kept, _ = names(path)
    with TreeStore.open(path) as store:
        node = store.node(store.latest_run().id, kept)
        store.drop(node.id)
        assert {result.name for result in store.free().results} >= {kept}
    with TreeStore.open(path, read_only=True) as store, pytest.raises(SnapshotFreedError):
        store.snapshot(store.snapshot_hash(node.id, "tuned"))
    found = again(path, kept)
    assert found.verdict == "identical" and len(found.remade) == 2


def test_only_nodes_that_a_job_made_can_be_made_again(path):
    with pytest.raises(UsageError, match="checkpoint"):
        again(path, "R")
    with TreeStore.open(path) as store:
        run = store.latest_run()
        parent = store.node(run.id, names(path)[1])
        edit = dict(store.node(run.id, "R.L").edit)
        (queued,) = store.add_candidates(parent.id, proposal={}, edits=[edit])
    with pytest.raises(UsageError, match="queued"):
        again(path, queued.name)
