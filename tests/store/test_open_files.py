"""A file that is refused is let go of at once, not when garbage is looked for."""

from __future__ import annotations

import gc
import os
import random
import shutil
from pathlib import Path

import pytest

from store import StoreError, TreeStore
from store.audit.verify import verify

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
