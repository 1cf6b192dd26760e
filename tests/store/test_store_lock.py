"""The right to write is that to the file itself, whatever its name and whatever lies beside it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from store_helpers import make_run, root_of, start_python

from store import (
    NotAStoreError,
    StoreClaim,
    StoreLockedError,
    StoreNotFoundError,
    StoreNotWritableError,
    TreeStore,
)

TRY = """
import sys, store
try: store.TreeStore.open(sys.argv[1]).close()
except store.StoreLockedError as error: print(error)
else: print("opened")
"""


def tried(path: Path) -> str:
    """What another process that opens a store for writing says."""
    said, error = start_python(TRY, str(path)).communicate(timeout=120)
    assert not error, error
    return said.strip()


def lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def test_a_hard_link_to_a_store_has_the_same_lock(path: Path, store: TreeStore) -> None:
    make_run(store)
    other = path.parent / "elsewhere" / "other.pex.db"
    other.parent.mkdir()
    os.link(path, other)
    said = tried(other)
    assert f"process {os.getpid()} " in said and "another name" in said
    with pytest.raises(StoreLockedError):  # nor in the process that writes
        TreeStore.open(other)
    assert not lock_of(other).exists()
    store.tag(root_of(store).id, "still ours")
    store.close()
    assert tried(other) == "opened"


def test_a_link_to_a_store_has_the_same_lock(path: Path, store: TreeStore) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    assert f"process {os.getpid()} on " in tried(link)


def test_removing_the_lock_s_file_lets_nobody_in(path: Path, store: TreeStore) -> None:
    lock_of(path).unlink()
    assert f"process {os.getpid()} " in tried(path)
    root_of(store)
    store.close()
    assert tried(path) == "opened" and not lock_of(path).exists()


def test_who_holds_the_lock_keeps_a_lock_s_file_that_came_up_since(path: Path) -> None:
    store = TreeStore.open(path, create=True)
    lock_of(path).unlink()
    lock_of(path).write_text("somebody else's")
    store.close()
    assert lock_of(path).read_text() == "somebody else's"


def test_a_holder_that_was_killed_holds_nothing(path: Path) -> None:
    script = "import sys, store\nopened = store.TreeStore.open(sys.argv[1], create=True)\n"
    holder = start_python(script + "print('open', flush=True); sys.stdin.read()", str(path))
    assert holder.stdout is not None and holder.stdout.readline() == "open\n"
    assert f"process {holder.pid} on " in tried(path)
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate(timeout=30)
    assert tried(path) == "opened"


def test_a_copy_of_an_open_store_has_a_lock_of_its_own(path: Path, store: TreeStore) -> None:
    make_run(store)
    copy = path.with_name("copy.pex.db")
    for end in ("", "-wal", ".lock"):
        shutil.copy(str(path) + end, str(copy) + end)
    assert tried(copy) == "opened"


def test_sqlite_s_own_locks_are_not_in_the_way_of_ours_nor_ours_of_them(
    path: Path, store: TreeStore
) -> None:
    make_run(store)
    script = (
        "import sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('BEGIN EXCLUSIVE'); database.execute('COMMIT'); print('done')\n"
    )
    assert start_python(script, str(path)).communicate(timeout=60)[0] == "done\n"
    store.shrink()
    root_of(store)
    assert f"process {os.getpid()} on " in tried(path), "the lock outlives a VACUUM"


def test_closing_the_file_in_the_same_process_does_not_drop_the_lock(
    path: Path, store: TreeStore
) -> None:
    make_run(store)
    path.read_bytes()
    TreeStore.open(path, read_only=True).close()
    lock_of(path).unlink()
    assert f"process {os.getpid()} " in tried(path)


@pytest.mark.parametrize("kind", ["link", "file", "folder", "pipe"])
def test_what_has_the_name_of_the_lock_and_is_none_is_left_alone(path: Path, kind: str) -> None:
    make_run(TreeStore.open(path, create=True))
    mine = path.with_name("mine.txt")
    mine.write_text("mine")
    lock = lock_of(path)
    lock.unlink()
    if kind == "link":
        lock.symlink_to(mine)
    elif kind == "file":
        lock.write_text("a lock of another program")
    elif kind == "folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    with pytest.raises(StoreNotWritableError, match=lock.name):
        TreeStore.open(path)
    assert mine.read_text() == "mine" and os.path.lexists(lock)
    if kind == "file":
        assert lock.read_text() == "a lock of another program"


@pytest.mark.parametrize("content", [b"", b"\0" * 90, b'{"pid": 1, "host": "h", "since": "s"}'])
def test_what_a_crash_leaves_of_a_lock_is_in_nobody_s_way(path: Path, content: bytes) -> None:
    lock_of(path).write_bytes(content)
    TreeStore.open(path, create=True).close()
    assert not lock_of(path).exists()


@pytest.mark.parametrize("kind", ["link", "file", "folder", "database"])
def test_a_file_of_somebody_s_where_a_store_is_made_is_left_alone(path: Path, kind: str) -> None:
    mine, unfinished = path.with_name("mine.txt"), path.with_name(path.name + ".new")
    mine.write_text("mine")
    if kind == "link":
        unfinished.symlink_to(mine)
    elif kind == "file":
        unfinished.write_text("a newer version of mine")
    elif kind == "folder":
        unfinished.mkdir()
    else:
        sqlite3.connect(unfinished).executescript("CREATE TABLE mine(x)").close()
    before = sorted(path.parent.iterdir())
    with pytest.raises(StoreNotWritableError, match=f"{unfinished.name} is in the way"):
        TreeStore.create(path, make_run)
    assert sorted(path.parent.iterdir()) == before and mine.read_text() == "mine"
    unfinished.rename(path.with_name("moved"))  # the remedy
    TreeStore.create(path, make_run).close()
    path.with_name("moved").rename(unfinished)
    TreeStore.open(path).close()  # nor is it in the way of a store that is there
    assert os.path.lexists(unfinished)


# ---------------------------------------------------------------- before there is a file


def test_a_path_can_be_claimed_before_the_store_is_there(path: Path) -> None:
    claim = StoreClaim(path)
    assert not claim.exists and not path.exists()
    with pytest.raises(StoreLockedError, match=str(os.getpid())):
        StoreClaim(path)
    with pytest.raises(StoreLockedError):
        TreeStore.create(path, make_run)
    store = claim.create(make_run)
    claim.release()  # the store has the right by now
    assert f"process {os.getpid()} on " in tried(path)
    store.close()
    assert tried(path) == "opened" and not lock_of(path).exists()


def test_a_claim_that_is_given_up_leaves_nothing(path: Path) -> None:
    StoreClaim(path).release()
    assert list(path.parent.iterdir()) == []
    with pytest.raises(StoreNotFoundError):
        StoreClaim(path.parent / "no" / "where.db")
    path.write_text("something else")
    with pytest.raises(NotAStoreError):
        StoreClaim(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_claim_stays_while_what_was_asked_of_it_fails(path: Path) -> None:
    def fails(store: TreeStore) -> None:
        raise RuntimeError("no root")

    claim = StoreClaim(path)
    with pytest.raises(RuntimeError):
        claim.create(fails)
    with pytest.raises(StoreLockedError):
        TreeStore.create(path, make_run)
    claim.create(make_run).close()

    claim = StoreClaim(path)
    with sqlite3.connect(path) as foreign:
        foreign.execute("PRAGMA user_version = 1")  # rows that do not agree with their format
    foreign.close()
    with pytest.raises(Exception):  # noqa: B017 - however it is refused
        claim.open()
    with pytest.raises(StoreLockedError):
        StoreClaim(path)
    claim.release()
    assert not lock_of(path).exists()


def test_two_that_claim_a_new_store_at_once_are_told_apart(path: Path) -> None:
    script = (
        "import sys, store\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "try: claim = store.StoreClaim(sys.argv[1])\n"
        "except store.StoreLockedError as error: print('locked', flush=True)\n"
        "else: print('mine', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    children: list[subprocess.Popen[str]] = [start_python(script, str(path)) for _ in range(3)]
    said = []
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        said.append(child.stdout.readline().strip())
    for child in children:
        child.communicate("\n", timeout=60)
    assert sorted(said) == ["locked", "locked", "mine"]
