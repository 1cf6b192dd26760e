"""What is measured of a node later on is kept beside it, and never changes."""

from __future__ import annotations

import math
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from random_trees import live, new_run, story
from small_tensors import grow
from store_helpers import add, finish, make_run, root_of

from store import (
    EvaluatedError,
    InvalidValueError,
    TreeStore,
    UnknownNodeError,
    UnknownResultError,
)
from store.audit.verify import verify
from store.transfer.merge import merge
from store.transfer.pack import pack, pack_nodes

SETTINGS = {"attack": "fgsm", "eps": 0.03, "seed": 1}
METRICS = {"accuracy": 41.5, "loss": math.inf}


def brief(store: TreeStore, name: str) -> list[tuple]:
    node = store.node(store.runs()[0].id, name)
    return [(e.phase, e.kind, e.settings, e.metrics) for e in store.evaluations(node.id)]


def test_an_evaluation_comes_back_as_it_went_in(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        node = grow(store)["R.L"]
        made = store.add_evaluation(node.id, "tuned", "robustness", SETTINGS, METRICS)
        before = store.add_evaluation(node.id, "recovered", "robustness", SETTINGS, {"a": math.nan})
        other = store.add_evaluation(node.id, "tuned", "latency", SETTINGS, {})
        assert (made.node_id, made.phase, made.kind) == (node.id, "tuned", "robustness")
        assert made.settings == SETTINGS and made.metrics == METRICS
        events = store.events(node.run_id)
        assert [e.kind for e in events[-3:]] == ["evaluation"] * 3
    with TreeStore.open(path, read_only=True) as store:
        assert repr(store.evaluations(node.id)) == repr([made, before, other])
        assert store.evaluations(root_of(store).id) == []
        assert store.node_by_id(node.id) == node, "the node itself is as it was"
    assert verify(path).findings == () and verify(path).num_checked["evaluation"] == 3


def test_the_same_again_is_no_change_and_something_else_is_refused(store: TreeStore) -> None:
    node = grow(store)["R.F"]
    made = store.add_evaluation(node.id, "recovered", "robustness", SETTINGS, METRICS)
    events = store.events(node.run_id)
    again = dict(reversed(SETTINGS.items()))
    assert store.add_evaluation(node.id, "recovered", "robustness", again, METRICS) == made
    with pytest.raises(EvaluatedError, match=r"R\.F \(recovered\).*robustness"):
        store.add_evaluation(node.id, "recovered", "robustness", SETTINGS, {"accuracy": 1.0})
    assert store.events(node.run_id) == events
    assert store.evaluations(node.id) == [made]
    store.add_evaluation(node.id, "recovered", "robustness", {**SETTINGS, "seed": 2}, {})
    assert len(store.evaluations(node.id)) == 2


def test_only_what_a_phase_produced_is_evaluated(store: TreeStore) -> None:
    node, _ = add(store, root_of(store))
    with pytest.raises(UnknownResultError, match="has no result"):
        store.add_evaluation(node.id, "recovered", "latency", {}, {})
    finish(store, node)
    with pytest.raises(UnknownResultError):
        store.add_evaluation(node.id, "tuned", "latency", {}, {})
    with pytest.raises(UnknownNodeError):
        store.add_evaluation(99, "recovered", "latency", {}, {})
    with pytest.raises(UnknownNodeError):
        store.evaluations(99)
    for wrong in (("", {}, {}), ("x", {"a": object()}, {}), ("x", {}, {"a": "high"})):
        with pytest.raises(InvalidValueError):
            store.add_evaluation(node.id, "recovered", *wrong)  # type: ignore[arg-type]
    assert store.evaluations(node.id) == []


def test_no_program_changes_an_evaluation(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        node = grow(store)["R.L"]
        store.add_evaluation(node.id, "tuned", "latency", SETTINGS, {"ms": 2.5})
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA foreign_keys = ON")
    for statement in (
        "DELETE FROM evaluation",
        "UPDATE evaluation SET metrics = '{}'",
        "REPLACE INTO evaluation SELECT * FROM evaluation",
        "REPLACE INTO evaluation SELECT 9, node_id, phase, kind, settings_hash, '{}', ''"
        " FROM evaluation",
        "INSERT INTO evaluation SELECT 9, node_id, 'later', kind, settings_hash, '{}', ''"
        " FROM evaluation",
        "INSERT INTO evaluation SELECT 9, node_id, phase, 'x', 'y', '{}', '' FROM evaluation",
        "INSERT INTO evaluation SELECT 9, node_id, phase, 'x', settings_hash, '[]', ''"
        " FROM evaluation",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statement)
    # Behind the back of the rules, the hash chain and the log say so.
    raw.execute("DROP TRIGGER evaluation_no_update")
    raw.execute("UPDATE evaluation SET metrics = '{\"ms\":2.25}'")
    raw.execute("INSERT INTO evaluation SELECT 9, node_id, phase, 'x', settings_hash, '{}', ''"
                " FROM evaluation")  # fmt: skip
    raw.commit()
    raw.close()
    found = {(finding.kind, finding.text) for finding in verify(path).findings}
    assert any(kind == "seal" and "(evaluation)" in text for kind, text in found)
    assert any(kind == "evaluation" and "R.L" in text for kind, text in found)


def test_evaluations_go_wherever_their_nodes_go(path: Path, tmp_path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        node = grow(store)["R.L"]
        store.add_evaluation(node.id, "tuned", "robustness", SETTINGS, METRICS)
        store.add_evaluation(store.node(1, "R.F").id, "recovered", "latency", {}, {"ms": 1.0})
        expected = {name: brief(store, name) for name in ("R.L", "R.F")}
    part, whole, merged = (tmp_path / f"{n}.pex.db" for n in ("part", "whole", "merged"))
    pack(path, whole)
    pack_nodes(path, part, 1, ["R.L"])
    with TreeStore.open(merged, create=True) as store:
        make_run(store)  # ids differ
        add(store, root_of(store))
    merge(merged, path)
    for copy, run in ((part, 0), (whole, 0), (merged, 1)):
        with TreeStore.open(copy) as store:
            for name, found in expected.items():
                node = store.node(store.runs()[run].id, name)
                here = [
                    (e.phase, e.kind, e.settings, e.metrics) for e in store.evaluations(node.id)
                ]
                assert here == found
        assert {finding.kind for finding in verify(copy).findings} <= {"edit"}
    assert merge(whole, path)[0].outcome == merge(path, part)[0].outcome == "held"


def test_evaluations_that_were_added_elsewhere_extend_a_run(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pex.db"
    with TreeStore.open(other, create=True) as store:
        run = new_run(store, 4)
        live(store, run, random.Random(4), 40)
        node = store.newest(run.id, 1)[0]
        store.add_evaluation(root_of(store).id, "root", "latency", {"batch": 1}, {"ms": 1.0})
    shutil.copy(other, path)
    with TreeStore.open(path):
        pass
    with TreeStore.open(other) as store:
        store.add_evaluation(root_of(store).id, "root", "latency", {"batch": 8}, {"ms": 4.0})
        live(store, run, random.Random(5), 20)
        expected, evaluated = story(store, run.uuid), brief(store, "R")
    assert merge(path, other)[0].outcome == "extended"
    with TreeStore.open(path) as store:
        assert story(store, run.uuid) == expected and brief(store, "R") == evaluated
    assert {finding.kind for finding in verify(path).findings} <= {"edit"}
    assert node.run_id == run.id


def test_freeing_weights_leaves_what_was_measured_of_them(store: TreeStore) -> None:
    node = grow(store)["R.L.F"]
    made = store.add_evaluation(node.id, "recovered", "robustness", SETTINGS, METRICS)
    store.drop(node.id)
    store.free()
    assert store.evaluations(node.id) == [made]
    store.close()
    assert verify(store.path).findings == ()
