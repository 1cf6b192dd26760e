"""How long a snapshot takes to be stored, as a multiple of a plain file with fsync.

Usage: python benchmarks/snapshots.py [MEGABYTES] [ROUNDS] [FOLDER]
Each round writes a plain file and stores a snapshot of the same bytes, one after the other; the
ratio is taken within the round, since disks are not equally quick at all times. Then so many
snapshots again, while another thread decides and reads: how long it waits.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from store import TreeStore

LAYER = {"structure": "layer", "blocks": ["layer1.1"]}


def plain_seconds(folder: Path, content: bytes) -> float:
    """Writing a new file, on disk for certain."""
    started = time.perf_counter()
    with (folder / "plain").open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    (folder / "plain").unlink()
    return seconds


def store_seconds(store: TreeStore, content: bytes) -> float:
    """Finishing a node with these weights, acknowledged and so on disk for certain."""
    (node,) = store.add_candidates(1, proposal={}, edits=[LAYER])
    started = time.perf_counter()
    store.finish(
        node.id, "recovered", snapshot=content, metrics={}, epochs=[], resamples=None, seconds=0
    )
    return time.perf_counter() - started


def waits(store: TreeStore, megabytes: int, rounds: int) -> None:
    """Prints how long decisions and reads take while snapshots are stored."""
    seconds: dict[str, list[float]] = {"decide": [], "read": []}

    def timed(what: str, action: Callable[[], object]) -> None:
        started = time.perf_counter()
        action()
        seconds[what].append(time.perf_counter() - started)

    for _ in range(rounds):
        content = os.urandom(megabytes * 10**6)
        storing = threading.Thread(target=store_seconds, args=(store, content))
        storing.start()
        while storing.is_alive():
            about = {"kept": [], "suggested": None, "actor": "user", "reason": ""}
            timed("decide", lambda: store.decide(1, **about))  # noqa: B023
            timed("read", lambda: store.node_by_id(1))
            time.sleep(0.005)
    for what, each in seconds.items():
        each.sort()
        median, p99 = 1e3 * each[len(each) // 2], 1e3 * each[int(0.99 * len(each))]
        print(f"{what} meanwhile: median {median:.1f} ms, p99 {p99:.1f} ms of {len(each)}")


def main(megabytes: int, rounds: int, parent: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        with TreeStore.open(folder / "bench.pex.db", create=True) as store:
            store.create_run(
                name="bench", seed=0, architecture={}, data={}, settings={}, environment={},
                root_metrics={}, root_snapshot=b"",
            )  # fmt: skip
            ratios = []
            for _ in range(rounds):
                content = os.urandom(megabytes * 10**6)
                plain = plain_seconds(folder, content)
                stored = store_seconds(store, content)
                ratios.append(stored / plain)
                print(f"plain {plain:.3f} s, store {stored:.3f} s: {ratios[-1]:.2f}x", flush=True)
            print(f"{megabytes} MB: median {statistics.median(ratios):.2f}x of {rounds} rounds")
            waits(store, megabytes, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("megabytes", type=int, nargs="?", default=100)
    parser.add_argument("rounds", type=int, nargs="?", default=7)
    parser.add_argument("folder", nargs="?")
    given = parser.parse_args()
    main(given.megabytes, given.rounds, given.folder)
