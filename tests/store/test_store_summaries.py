"""Nodes in brief say what nodes say at length."""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from store import TreeStore
from store.sqlite import schema

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from test_replay import act, new_run


def expected(store: TreeStore, run_id: int) -> list[tuple]:
    return [
        (n.id, n.name, n.structure, n.state, n.kept, n.metrics.get("similarity"),
         n.metrics.get("val_accuracy"), n.metrics.get("macs"))
        for n in store.nodes(run_id)
    ]  # fmt: skip


def summaries(store: TreeStore, run_id: int) -> list[tuple]:
    return [tuple(summary) for chunk in store.summaries(run_id) for summary in chunk]


@pytest.mark.parametrize("seed", range(4))
def test_summaries_follow_whatever_happens_to_a_tree(tmp_path: Path, seed) -> None:
    draw = random.Random(seed)
    with TreeStore.open(tmp_path / "o.pex.db", create=True) as store:
        run = new_run(store)
        for _ in range(100):
            act(store, run.id, draw)
            assert summaries(store, run.id) == expected(store, run.id)
        unfinished = {n.id for n in store.nodes(run.id) if n.state in ("queued", "running")}
        assert unfinished <= set(store.unfinished(run.id))
        assert store.num_nodes(run.id) == len(store.nodes(run.id))


def test_epochs_are_counted_over_all_phases_of_a_node(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("golden") / "format-6.db", tmp_path / "o.pex.db")
    with TreeStore.open(tmp_path / "o.pex.db", read_only=True) as store:
        (run, *_) = store.runs()
        counted = {node.name: len(store.epochs(node.id)) for node in store.nodes(run.id)}
        assert store.epochs_trained(run.id) == {n: count for n, count in counted.items() if count}
        assert any(counted.values())


def test_the_kept_path_comes_with_its_siblings_parents_first(tmp_path: Path) -> None:
    draw = random.Random(5)
    with TreeStore.open(tmp_path / "o.pex.db", create=True) as store:
        run = new_run(store)
        for _ in range(150):
            act(store, run.id, draw)
        found = [summary.name for summary in store.kept_path(run.id)]
        node, names = store.node(run.id, "R"), {"R"}
        while children := store.children(node.id):
            names |= {child.name for child in children}
            kept = [child for child in children if child.kept]
            if not kept:
                break
            node = kept[-1]
        assert set(found) == names and found[0] == "R"


@pytest.mark.parametrize("seed", range(3))
def test_what_is_open_and_where_the_kept_path_ends(tmp_path: Path, seed) -> None:
    draw = random.Random(seed)
    with TreeStore.open(tmp_path / "o.pex.db", create=True) as store:
        run = new_run(store)
        for _ in range(100):
            act(store, run.id, draw)
            nodes = store.nodes(run.id)
            undecided = [n for n in nodes if n.kept is None]
            ready = {n.parent_id for n in undecided if n.state == "ready"}
            busy = {n.parent_id for n in undecided if n.state in ("queued", "running")}
            assert store.open_parents(run.id) == sorted(ready - busy)
            tip = nodes[0]
            while kept := [n for n in nodes if n.parent_id == tip.id and n.kept]:
                tip = kept[-1]
            assert store.tip(run.id) == tip.id


@pytest.mark.parametrize("count", [0, 1, 3, 10, 1000])
def test_the_newest_nodes_come_with_all_above_them(tmp_path: Path, count: int) -> None:
    draw = random.Random(count)
    with TreeStore.open(tmp_path / "o.pex.db", create=True) as store:
        other, run = new_run(store), new_run(store)
        for _ in range(80):
            act(store, draw.choice((other, run)).id, draw)
        for each in (other, run):
            every = summaries(store, each.id)
            newest = [o[1] for o in every[max(0, len(every) - count) :]]
            above = {name[:i] for name in newest for i in range(len(name)) if name[i] == "."}
            found = [tuple(o) for chunk in store.newest_summaries(each.id, count) for o in chunk]
            assert found == [o for o in every if o[1] in above | set(newest)]


def test_an_older_store_gets_the_summaries_of_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "o.pex.db"
    # 120 random steps, written by format 2: there were none yet.
    shutil.copy(Path(__file__).parent / "golden" / "lived-2.db", path)
    with TreeStore.open(path) as store:
        run = store.runs()[0]
        assert len(store.nodes(run.id)) == 31
        assert summaries(store, run.id) == expected(store, run.id)
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)
    raw.close()
