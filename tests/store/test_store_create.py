"""A store appears together with its first run: before that there is nothing, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from store_helpers import make_run, root_of, start_python

from store import (
    NotAStoreError,
    StoreError,
    StoreExistsError,
    StoreLockedError,
    StoreNotFoundError,
    TreeStore,
)
from store.audit.verify import verify

HELPERS = str(Path(__file__).parent)
CONTENT = b"weights" * 500_000  # several parts


def sound(path: Path) -> bool:
    return {finding.kind for finding in verify(path).findings} <= {"edit"}


def left_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_a_store_is_created_with_its_first_run_and_open_for_writing(path: Path) -> None:
    seen: list[bool] = []

    def begin(store: TreeStore) -> None:
        seen.append(path.exists())
        make_run(store, root_snapshot=CONTENT)
        seen.append(path.exists())
        assert store.path == path and len(store.runs()) == 1

    with TreeStore.create(path, begin) as store:
        assert seen == [False, False] and path.exists()
        root = root_of(store)
        assert store.snapshot(store.snapshot_hash(root.id, "root")) == CONTENT
        store.tag(root.id, "it can be written to")
        with pytest.raises(StoreLockedError):
            TreeStore.open(path)
    assert left_in(path.parent) == {path.name}
    assert sound(path)


def test_what_goes_wrong_while_it_is_filled_leaves_nothing(path: Path) -> None:
    def begin(store: TreeStore) -> None:
        make_run(store)
        raise RuntimeError("the engine died")

    with pytest.raises(RuntimeError, match="the engine died"):
        TreeStore.create(path, begin)
    with pytest.raises(StoreError):
        TreeStore.create(path, lambda store: make_run(store, seed=-1))
    assert left_in(path.parent) == set()
    with TreeStore.create(path, make_run) as store:
        assert len(store.runs()) == 1


def test_a_file_that_is_there_is_left_alone(path: Path) -> None:
    with TreeStore.create(path, make_run):
        pass
    before = path.read_bytes()
    with pytest.raises(StoreExistsError, match="is there already"):
        TreeStore.create(path, make_run)
    assert path.read_bytes() == before
    other = path.with_name("mine.txt")
    other.write_text("mine")
    with pytest.raises(StoreExistsError):
        TreeStore.create(other, make_run)
    with pytest.raises(StoreNotFoundError, match="does not exist"):
        TreeStore.create(path.parent / "no" / "where.db", make_run)
    assert other.read_text() == "mine" and left_in(path.parent) == {path.name, "mine.txt"}


def test_a_file_that_comes_up_meanwhile_is_left_alone(path: Path) -> None:
    def begin(store: TreeStore) -> None:
        make_run(store)
        path.write_text("mine")

    with pytest.raises(StoreExistsError):
        TreeStore.create(path, begin)
    assert path.read_text() == "mine" and left_in(path.parent) == {path.name}
    with pytest.raises(NotAStoreError):
        TreeStore.open(path)


CREATE = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from store import TreeStore
from store_helpers import make_run

point, kill = sys.argv[3], lambda: os.kill(os.getpid(), signal.SIGKILL)
link, unlink, fsync = os.link, os.unlink, os.fsync

def begin(store):
    if point == "before the run": kill()
    make_run(store, root_snapshot=b"weights" * 500_000)
    if point == "after the run": kill()

def killing_link(source, target):
    if point == "before it has its name": kill()
    link(source, target)
    if point == "after it has its name": kill()

os.link = killing_link
if point == "at the first sync": os.fsync = lambda descriptor: kill()
TreeStore.create(sys.argv[1], begin)
if point == "at the end": kill()
"""


@pytest.mark.parametrize(
    ("point", "is_there"),
    [
        ("before the run", False),
        ("after the run", False),
        ("at the first sync", False),
        ("before it has its name", False),
        ("after it has its name", True),
        ("at the end", True),
    ],
)
def test_a_kill_leaves_a_store_with_its_run_or_none(path: Path, point: str, is_there: bool) -> None:
    child = start_python(CREATE, str(path), HELPERS, point)
    _, error = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL, error
    assert path.exists() == is_there
    if is_there:
        with TreeStore.open(path, read_only=True) as store:
            assert [run.name for run in store.runs()] == ["resnet56"]
        store = TreeStore.open(path)
    else:
        store = TreeStore.create(path, make_run)
    with store:
        assert len(store.runs()) == 1
    assert left_in(path.parent) == {path.name}, "nothing is left of the one that died"
    assert sound(path)


TWO = """
import sys
sys.path.insert(0, sys.argv[2])
from store import StoreError, TreeStore
from store_helpers import make_run

def begin(store):
    print("begun", flush=True)
    sys.stdin.readline()
    make_run(store, name=sys.argv[3])

try:
    with TreeStore.create(sys.argv[1], begin) as store:
        print(store.runs()[0].name, flush=True)
except StoreError as error:
    print(type(error).__name__, flush=True)
"""


def start(path: Path, name: str) -> subprocess.Popen[str]:
    return start_python(TWO, str(path), HELPERS, name)


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_of_two_that_create_the_same_store_one_wins(path: Path) -> None:
    first = start(path, "first")
    assert said(first) == "begun"
    second = start(path, "second")
    assert said(second) == "StoreLockedError"
    second.communicate(timeout=30)
    assert first.communicate("go\n", timeout=30)[0].strip() == "first"
    third = start(path, "third")
    assert said(third) == "StoreExistsError"
    third.communicate(timeout=30)
    with TreeStore.open(path) as store:
        assert [run.name for run in store.runs()] == ["first"]
    assert left_in(path.parent) == {path.name}


def test_who_died_while_creating_is_in_nobodys_way(path: Path) -> None:
    first = start(path, "first")
    assert said(first) == "begun"
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=30)
    assert not path.exists()
    second = start(path, "second")
    assert said(second) == "begun"
    assert second.communicate("go\n", timeout=30)[0].strip() == "second"
    assert left_in(path.parent) == {path.name}
