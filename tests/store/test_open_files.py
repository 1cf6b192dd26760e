"""A file that is refused is let go of at once, not when garbage is looked for."""

from __future__ import annotations

import gc
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from store import StoreError, StoreLockedError, TreeStore
from store.audit.verify import verify
from store.errors import translated

GOLDEN = Path(__file__).parent / "golden"
OPEN = Path("/proc/self/fd")


@pytest.fixture
def without_garbage_collection():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_files(path: Path) -> list[str]:
    """What this process holds open of a file and those beside it."""
    found = []
    for each in OPEN.iterdir():
        try:
            found.append(os.readlink(each))
        except FileNotFoundError:  # that of this very listing
            continue
    return [name for name in found if name.startswith(str(path))]


def damaged(path: Path, draw: random.Random) -> None:
    """The golden store with bits that flipped all over it, its schema among them."""
    shutil.copy(GOLDEN / "growing-6.db", path)
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((100, 1_000, 10_000))):
        content[100 + draw.randrange(len(content) - 100)] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


@pytest.mark.skipif(not OPEN.is_dir(), reason="asks Linux what is open")
def test_a_damaged_store_is_let_go_of_however_it_is_refused(tmp_path, without_garbage_collection):
    refused = 0
    for seed in range(25):
        path = tmp_path / f"{seed}.pex.db"
        damaged(path, random.Random(seed))
        for look in (
            lambda path: TreeStore.open(path, read_only=True).close(),
            lambda path: TreeStore.open(path).close(),
            verify,
        ):
            try:
                look(path)
            except StoreError:
                refused += 1
            assert open_files(path) == []
    assert refused > 25


def test_a_store_whose_log_stays_locked_is_told_to_be_in_use(tmp_path):
    """SQLite gives up after a while where who holds that lock was stopped in its tracks."""
    stuck = sqlite3.OperationalError("locking protocol")
    stuck.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
    assert isinstance(translated(stuck, tmp_path / "it.pex.db"), StoreLockedError)
