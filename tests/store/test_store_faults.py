"""Torn files, full disks and clocks that jump: nothing acknowledged is lost or misread."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from random_trees import live, new_run, story
from store_helpers import start_python

from explorer.views.replay import Replay
from explorer.views.stored_nodes import node_views
from store import TreeStore
from store.audit.verify import verify
from store.sqlite.connection import Connection
from store.transfer.merge import merge


def sound(path: Path) -> bool:
    """Whether nothing but the weights (which are no tensors here) is wrong."""
    return {finding.kind for finding in verify(path).findings} <= {"edit"}


@pytest.mark.parametrize("seed", range(3))
def test_a_torn_log_of_writes_loses_the_end_only(path, tmp_path, monkeypatch, seed: int) -> None:
    """Whatever is left of the -wal, the store is as it was after one of the transactions."""
    draw = random.Random(seed)
    copies = tmp_path / "copies"
    copies.mkdir()
    with TreeStore.open(path, create=True) as store, monkeypatch.context() as patches:
        run = new_run(store, seed)
        states = [story(store, run.uuid)]
        patches.setattr(Connection, "writing", recording(store, run.uuid, states))
        live(store, run, draw, 40)
        wal = path.with_name(path.name + "-wal").read_bytes()
        main = path.read_bytes()
    found = set()
    for number in range(25):
        copy = copies / f"{number}.pex.db"
        copy.write_bytes(main)
        copy.with_name(copy.name + "-wal").write_bytes(torn(wal, draw) if number else wal)
        with TreeStore.open(copy) as store:
            runs = store.runs()
            state = story(store, run.uuid) if runs else None
        assert state is None or state in states
        assert sound(copy)
        found.add(-1 if state is None else states.index(state))
        assert number or state == states[-1]
    assert len(found) > 5  # the cuts were felt


def recording(store: TreeStore, uuid: str, states: list) -> object:
    """`writing`, and the state of the run after each transaction."""
    writing = Connection.writing

    @contextmanager
    def recorded(connection: Connection) -> Iterator[None]:
        with writing(connection):
            yield
        if not connection._open_sqlite().in_transaction:
            states.append(story(store, uuid))

    return recorded


def torn(wal: bytes, draw: random.Random) -> bytes:
    """A -wal cut short, overwritten from somewhere on, with a page lost, or with a bit flipped."""
    place, content = draw.randrange(len(wal)), bytearray(wal)
    how = draw.choice(("cut", "garbage", "zeros", "flip"))
    if how == "cut":
        return wal[:place]
    if how == "garbage":
        content[place:] = draw.randbytes(len(wal) - place)
    elif how == "zeros":
        content[place : place + 4096] = bytes(len(content[place : place + 4096]))
    else:
        content[place] ^= 1 << draw.randrange(8)
    return bytes(content)


FILLER = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from store_helpers import add, decide, finish, root_of
from store import StoreError, TreeStore

with TreeStore.open(sys.argv[1], create=True) as store:
    root = root_of(store)
    nodes = add(store, root)
    content = bytes(range(256)) * 40_000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (20_000, 1_000_000, 9_500_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            finish(store, nodes[0], snapshot=content + bytes([limit % 256]))
            print("stored under", limit)
        except StoreError as error:
            print(type(error).__name__, str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finish(store, nodes[0], snapshot=content)
    decide(store, root, nodes[0])
    print("done")
"""


def test_a_limit_on_file_sizes_is_named_and_work_goes_on_once_it_is_gone(path: Path) -> None:
    child = start_python(FILLER, str(path), str(Path(__file__).parent))
    output, error = child.communicate(timeout=120)
    assert child.returncode == 0, error
    *refused, last = output.splitlines()
    assert last == "done" and len(refused) == 3
    for line in refused:
        assert line.startswith(("StoreFullError", "StoreInputOutputError"))
        assert str(path) in line and "limit" in line and "safe" in line
    with TreeStore.open(path) as store:
        node = store.node(1, "R.L")
        assert node.kept and node.state == "ready"
        assert len(store.snapshot(store.snapshot_hash(node.id, "recovered"))) == 256 * 40_000
        uploads = store._connection.rows("SELECT * FROM upload")
        chunks = store._connection.rows("SELECT DISTINCT hash FROM snapshot_chunk")
        assert uploads == [] and len(chunks) == 2
    assert sound(path)


class JumpingClock:
    """A clock that is set back and forth by years, as after a flat battery."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw

    def now(self, zone: object) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(hours=self.draw.uniform(-1e5, 1e5))


def test_a_clock_that_jumps_changes_no_order(path: Path, tmp_path: Path, monkeypatch) -> None:
    draw = random.Random(8)
    monkeypatch.setattr("store.sqlite.clock.datetime", JumpingClock(random.Random(9)))
    copy = tmp_path / "copy.pex.db"
    with TreeStore.open(path, create=True) as store:
        run = new_run(store, 8)
        live(store, run, draw, 60)
    shutil.copy(path, copy)
    with TreeStore.open(path) as store:
        live(store, run, draw, 60)
    with TreeStore.open(path) as store:
        times = [event.created_at for event in store.events(run.id)]
        assert any(later < earlier for earlier, later in itertools.pairwise(times))
        replay = Replay.of(store, run.id)
        shown = replay.nodes_at(len(replay.moments) - 1)
        assert repr(shown) == repr(node_views(store, run.id))  # as text, for NaN is not NaN
        for decision in store.decisions(run.id):
            assert decision.supersedes is None or decision.supersedes < decision.id
        expected = story(store, run.uuid)
    assert sound(path)
    assert merge(copy, path)[0].outcome == "extended"
    with TreeStore.open(copy) as store:
        assert story(store, run.uuid) == expected
