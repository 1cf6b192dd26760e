"""A store of any older format comes to the newest one with all that it says, or stays as it is."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from golden.make_format import describe
from random_trees import live
from small_tensors import FILTER
from store_helpers import add, finish, start_python

from explorer.views.replay import Replay
from explorer.views.stored_nodes import node_views
from store import DamagedStoreError, TreeStore
from store.audit.verify import verify
from store.sqlite import formats, schema
from store.transfer.merge import merge
from store.transfer.pack import pack

GOLDEN = Path(__file__).parent / "golden"
NEWEST = schema.newest_format()
# Made when each format was the newest: see golden/make_*.py. lived-2 is a random tree of format 2.
FORMATS = [f"format-{number}" for number in range(1, NEWEST + 1)]
GROWING = [path.stem for path in sorted(GOLDEN.glob("growing-*.db"))]
STORES = [*FORMATS, *GROWING, "lived-2"]


def take(name: str, path: Path) -> None:
    shutil.copy(GOLDEN / f"{name}.db", path)


def said_by_golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def kinds(path: Path) -> set[str]:
    return {finding.kind for finding in verify(path).findings}


def format_of(path: Path) -> int:
    raw = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    number = schema.format_of(raw)
    raw.close()
    return number


@pytest.mark.parametrize("name", STORES)
def test_what_an_older_store_says_is_what_it_said(path: Path, name: str) -> None:
    take(name, path)
    before = kinds(path)
    with TreeStore.open(path) as store:
        run = store.runs()[-1]
        nodes = store.nodes(run.id)
        brief = [o for chunk in store.summaries(run.id) for o in chunk]
        assert [(o.name, o.structure, o.state, o.kept) for o in brief] == [
            (n.name, n.structure, n.state, n.kept) for n in nodes
        ]
        for name_of, wanted in (("similarity", 5), ("val_accuracy", 6), ("macs", 7)):
            found = {o.name: o[wanted] for o in brief}
            for node in nodes:
                value = node.metrics.get(name_of)
                assert found[node.name] == (value if value == value else None)
        if name not in FORMATS:  # those have a note of which a session would say more
            replay = Replay.of(store, run.id)
            shown = replay.nodes_at(len(replay.moments) - 1)
            assert repr(shown) == repr(node_views(store, run.id))
    assert format_of(path) == NEWEST
    assert kinds(path) == before <= {"edit"}  # its weights may be no tensors


@pytest.mark.parametrize("name", GROWING)
def test_a_tree_in_the_middle_of_its_growth_goes_on(path: Path, tmp_path: Path, name: str) -> None:
    take(name, path)
    expected = said_by_golden(name)
    with TreeStore.open(path, read_only=True) as store:
        assert describe(store) == expected  # while it is what a killed session left
    with TreeStore.open(path) as store:
        said = describe(store)
        (interrupted,) = said["events"][len(expected["events"]) :]
        assert interrupted["kind"] == "interrupted"
        assert said["events"][: len(expected["events"])] == expected["events"]
        running = [node for node in expected["nodes"] if node["state"] == "running"]
        for node in running:
            node["state"] = "queued"
        assert running and said["nodes"] == expected["nodes"]
        assert said["decisions"] == expected["decisions"]
        run = store.runs()[0]
        waiting = [node for node in store.nodes(run.id) if node.state == "queued"]
        assert len(waiting) >= 3 and set(store.unfinished(run.id)) >= {n.id for n in waiting}
        parent = store.node_by_id(waiting[0].parent_id or 0)
        content = store.snapshot(store.snapshot_hash(parent.id, "recovered"))
        done = finish(store, waiting[0], snapshot=content)
        store.decide(parent.id, kept=[done.id], suggested=None, actor="user", reason="goes on")
        assert [n.name for n in add(store, done, FILTER)] == [f"{done.name}.F"]
        live(store, run, random.Random(1), 40)
        store.add_evaluation(done.id, "recovered", "latency", {}, {"ms": 1.5})
    assert kinds(path) <= {"edit"}
    packed = tmp_path / "packed.pex.db"
    pack(path, packed)
    take(name, path)
    (merged,) = merge(path, packed)  # the old store, and what became of a copy of it
    assert merged.outcome == "extended"
    assert kinds(path) <= {"edit"}


@pytest.mark.parametrize("name", [n for n in STORES if n not in ("format-6", "growing-6")])
def test_an_older_store_is_taken_over_without_being_changed(tmp_path, path, name: str) -> None:
    take(name, path)
    before, number = path.read_bytes(), format_of(path)
    other = tmp_path / "other.pex.db"
    with TreeStore.open(other, create=True):
        pass
    if number >= formats.OLDEST_READABLE:
        assert {m.outcome for m in merge(other, path)} == {"copied"}
        assert kinds(other) <= {"edit"}
        assert path.read_bytes() == before
        with TreeStore.open(path, read_only=True) as store:
            root = store.node(store.runs()[0].id, "R")
            assert store.evaluations(root.id) == []


def killed_at(point: str) -> str:
    """A script that opens a store and is killed at a point of its migration."""
    return (
        "import os, signal, sqlite3, sys\n"
        "from store import TreeStore\n"
        "from store.sqlite import schema\n"
        "statements = schema.statements\n"
        "def slowly(script):\n"
        "    for statement in statements(script):\n"
        f"        if {point!r} in statement: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield statement\n"
        "schema.statements = slowly\n"
        "TreeStore.open(sys.argv[1])\n"
    )


@pytest.mark.parametrize(
    "point", ["CREATE TABLE structure", "DROP TABLE node", "RENAME TO result", "evaluation_no_del"]
)
@pytest.mark.parametrize("name", ["format-1", "growing-5"])
def test_a_migration_that_is_killed_has_not_begun(path: Path, name: str, point: str) -> None:
    take(name, path)
    number, before = format_of(path), said_by_golden(name)
    child = start_python(killed_at(point), str(path))
    child.communicate(timeout=30)
    assert child.returncode == -9
    assert format_of(path) == number and kinds(path) <= {"edit"}
    with TreeStore.open(path) as store:
        assert len(store.nodes(1)) == len(before["nodes"])
    assert format_of(path) == NEWEST and kinds(path) <= {"edit"}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE node SET structure = 'chanel' WHERE id = 2", "CHECK constraint failed"),
        ("UPDATE metric SET node_id = 99 WHERE node_id = 2", "a row of metric"),
    ],
)
def test_a_store_whose_rows_disagree_is_left_as_it_is(path: Path, damage: str, words: str) -> None:
    take("format-5", path)
    raw = sqlite3.connect(path, isolation_level=None)
    triggers = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    raw.execute("PRAGMA ignore_check_constraints = ON")
    for name, _ in triggers:
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute(damage)
    for _, sql in triggers:
        raw.execute(sql)
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    with pytest.raises(DamagedStoreError, match=words):
        TreeStore.open(path)
    assert format_of(path) == 5
    assert kinds(path) > {"edit"}
    TreeStore.open(path, read_only=True).close()


OPEN = (
    "import sys, store\n"
    "print('ready', flush=True); sys.stdin.readline()\n"
    "try: opened = store.TreeStore.open(sys.argv[1])\n"
    "except store.StoreLockedError: print('locked')\n"
    "else: print(len(opened.nodes(1)))\n"
)
MIGRATE = (
    "import sys, sqlite3\n"
    "from store.sqlite import schema\n"
    "raw = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    "print('ready', flush=True); sys.stdin.readline()\n"
    "schema.migrate(raw); print(schema.format_of(raw))\n"
)


@pytest.mark.parametrize("script", [OPEN, MIGRATE], ids=["open", "migrate"])
def test_two_processes_that_bring_a_store_up_to_date_at_once(path: Path, script: str) -> None:
    take("growing-5", path)
    children = [start_python(script, str(path)) for _ in range(2)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    said = sorted(child.communicate(timeout=30)[0].strip() for child in children)
    assert said in ([["11", "11"], ["11", "locked"]] if script == OPEN else [[str(NEWEST)] * 2])
    assert format_of(path) == NEWEST and kinds(path) == set()
