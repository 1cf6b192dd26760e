"""kill -9 at random moments over a real growing tree: nothing that was acknowledged is ever lost.

A child process (forked, so that PyTorch is imported once) grows a tree with the real engine and the
real store, and tells over a pipe what was stored. It is killed at a random moment, again and again;
each time every acknowledged row must be there, every hash right, and the store clean.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import time
from pathlib import Path

import pytest
import torch
from small import OPTIONS, write_data, write_network

from explorer.executors.in_process import InProcessExecutor
from explorer.session.events import Decided, PhaseFinished
from explorer.session.open_run import Request, open_session
from explorer.session.search import grow_tree
from store import TreeStore
from store.audit.verify import verify

ITERATIONS = 6
SEED = 20_250_604


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def overrides(files) -> dict:
    return {**OPTIONS, "criterion": "l1", "iterations": ITERATIONS, "data": str(files[1])}


def grow(files, store: Path, tell) -> None:
    """Grows the tree to its end in this process; `tell(line)` hears of what is stored."""
    request = Request(str(files[0]), store=store, overrides=overrides(files))

    def listen(event) -> None:
        if isinstance(event, PhaseFinished):
            tell(f"{event.phase} {event.node}")
        elif isinstance(event, Decided):
            tell(f"decided {event.parent} {', '.join(event.kept)}")

    async def work() -> None:
        session = await open_session(request, InProcessExecutor, listen)
        try:
            await grow_tree(session)
        finally:
            session.store.close()

    asyncio.run(work())


def forked(files, store: Path) -> tuple[int, int]:
    """The process id and the pipe of a child that grows the tree."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        os.close(reading)
        torch.set_num_threads(1)
        grow(files, store, lambda line: os.write(writing, f"{line}\n".encode()))
        code = 0
    finally:
        os._exit(code)


def read_for(pipe: int, seconds: float) -> tuple[list[str], bool]:
    """The whole lines that come within so many seconds, and whether the pipe has ended."""
    content, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([pipe], [], [], left)[0]:
            if not (part := os.read(pipe, 65536)):
                return content.decode().splitlines(), True
            content += part
    return content.decode().splitlines(), False


def check(store: Path, acknowledged: set[str]) -> None:
    """Everything that was told is stored, and the store is sound."""
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        nodes = {node.name: node for node in opened.nodes(run.id)}
        for line in acknowledged:
            kind, name, *rest = line.split(" ", 2)
            if kind == "decided":
                assert {n for n, node in nodes.items() if node.kept} >= set(rest[0].split(", "))
            else:
                assert kind in nodes[name].phases, line
                opened.snapshot(opened.snapshot_hash(nodes[name].id, kind))
    assert [str(finding) for finding in verify(store).findings] == []


def snapshots(store: Path) -> dict:
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        return {
            (n.name, phase): opened.snapshot_hash(n.id, phase)
            for n in opened.nodes(run.id)
            for phase in n.phases
        }


def kill_again_and_again(files, folder: Path, wanted: int) -> int:
    """Kills until `wanted` children died; returns how many trees were grown to their end."""
    draw, kills, finished = random.Random(SEED), 0, 0
    whole = folder / "whole.pex.db"
    grow(files, whole, lambda line: None)
    expected = snapshots(whole)
    while kills < wanted:
        store = folder / f"tree-{finished}.pex.db"
        acknowledged: set[str] = set()
        ended = False
        while not ended and kills < wanted:
            pid, pipe = forked(files, store)
            lines, ended = read_for(pipe, draw.uniform(0.01, 0.9))
            if not ended:
                os.kill(pid, signal.SIGKILL)
                kills += 1
                rest, _ = read_for(pipe, 10.0)  # what it had still told; ends with the process
                lines += rest
            os.close(pipe)
            _, status = os.waitpid(pid, 0)
            assert not ended or status == 0
            acknowledged.update(lines)
            if store.exists():
                check(store, acknowledged)
        if ended:
            finished += 1
            assert snapshots(store) == expected  # bit for bit, however often it was interrupted
            assert not list(folder.glob(f"{store.name}.spool/*.json"))
            wal = store.with_name(store.name + "-wal")  # a reader leaves an empty one
            assert not wal.exists() or wal.stat().st_size == 0
    return finished


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the child")
def test_fifty_kills_lose_nothing(files, tmp_path):
    kill_again_and_again(files, tmp_path, 50)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills_lose_nothing(files, tmp_path):
    assert kill_again_and_again(files, tmp_path, 200) >= 1
