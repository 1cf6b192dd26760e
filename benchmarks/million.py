"""A store of a million nodes: opening, the app on it, `log --limit`, the lineage of a deep node.

Usage: python benchmarks/million.py [--nodes N]
The tree is written by plain SQL (triggers put aside meanwhile): a chain 2,000 nodes deep, each with
a rejected sibling, and below those siblings a broad tree. Prints seconds, medians of five.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROUNDS, DEPTH, CHUNK = 5, 2_000, 50_000
METRICS = (("similarity", 0.98), ("val_accuracy", 92.0), ("macs", 9e7), ("params", 9e5))


def tree(count: int) -> Iterator[tuple[int, int, str, str, int, bool]]:
    """(id, parent, name, structure, depth, kept) of nodes below the root, whose id is 1."""
    number, parent, name, beside = 1, 1, "R", []
    for depth in range(1, DEPTH + 1):
        for structure in ("layer", "filter"):
            number += 1
            below = f"{name}.{structure[0].upper()}"
            yield number, parent, below, structure, depth, structure == "layer"
            if structure == "filter":
                beside.append((number, f"{name}.F", depth))
        parent, name = number - 1, f"{name}.L"
    beside = beside[:50]  # names stay short
    while number < count:
        above, name, depth = beside.pop(0)
        for structure in ("layer", "filter"):
            number += 1
            below = f"{name}.{structure[0].upper()}"
            yield number, above, below, structure, depth + 1, structure == "layer"
            beside.append((number, below, depth + 1))


def make_store(path: Path, count: int) -> None:
    """A store with one run of about `count` nodes."""
    from keys import create_run

    from store import TreeStore

    with TreeStore.open(path, create=True) as store:
        create_run(store)
    raw = sqlite3.connect(path, isolation_level=None)
    triggers = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    address = raw.execute("SELECT hash FROM snapshot").fetchone()[0]
    raw.execute("BEGIN")
    for name, _ in triggers:
        raw.execute(f'DROP TRIGGER "{name}"')
    batch = []
    for node in tree(count):
        batch.append(node)
        if len(batch) >= CHUNK:
            _insert(raw, batch, address)
            batch = []
    _insert(raw, batch, address)
    for _, sql in triggers:
        raw.execute(sql)
    raw.execute("COMMIT")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()


def _insert(raw: sqlite3.Connection, nodes: list, address: str) -> None:
    now, digest = "2026-01-01T00:00:00.000000+00:00", "0" * 64
    parents = sorted({node[1] for node in nodes})
    raw.executemany(
        "INSERT OR IGNORE INTO proposal(id, run_id, parent_id, content, created_at)"
        " VALUES (?, 1, ?, '{}', ?)", [(p, p, now) for p in parents],
    )  # fmt: skip
    raw.executemany(
        "INSERT INTO node(id, run_id, parent_id, proposal_id, name, structure, depth, edit, state,"
        " created_at) VALUES (?, 1, ?, ?, ?, ?, ?, ?, 'ready', ?)",
        [(i, p, p, name, s, depth, f'{{"structure": "{s}"}}', now)
         for i, p, name, s, depth, _ in nodes],
    )  # fmt: skip
    raw.executemany(
        "INSERT INTO result(node_id, phase, snapshot_hash, seconds, digest, created_at)"
        " VALUES (?, ?, ?, 1.0, ?, ?)",
        [(n[0], phase, address, digest, now) for n in nodes
         for phase in ("recovered", "tuned")[: 1 + n[5]]],
    )  # fmt: skip
    for name, value in METRICS:
        raw.executemany(
            "INSERT INTO metric(node_id, phase, name, value) VALUES (?, 'recovered', ?, ?)",
            [(node[0], name, value) for node in nodes],
        )
    raw.executemany(
        "INSERT INTO outline(node_id, kept, similarity, val_accuracy, macs)"
        " VALUES (?, ?, 0.98, 92.0, 9e7)", [(node[0], int(node[5])) for node in nodes],
    )  # fmt: skip
    raw.executemany(
        "INSERT OR IGNORE INTO decision(id, run_id, parent_id, newest_candidate, actor, reason,"
        " created_at) VALUES (?, 1, ?, ?, 'cka', 'CKA', ?)",
        [(n[1], n[1], n[0], now) for n in nodes if not n[5]],
    )
    raw.executemany(
        "INSERT INTO event(run_id, node_id, kind, payload, created_at)"
        " VALUES (1, ?, 'result', '{}', ?)", [(node[0], now) for node in nodes],
    )  # fmt: skip
    raw.executemany(
        "INSERT INTO decision_kept(decision_id, node_id, parent_id) VALUES (?, ?, ?)",
        [(node[1], node[0], node[1]) for node in nodes if node[5]],
    )


def timed(what: str, action: Callable[[], object]) -> None:
    """Prints how long an action takes."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    print(f"{what:58} {statistics.median(times):8.3f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    asked = parser.parse_args()
    from keys import measure

    from explorer.views.live_run import LiveRun
    from store import TreeStore

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.pex.db"
        make_store(path, asked.nodes)
        print(f"{asked.nodes:,} nodes, {path.stat().st_size / 1e6:,.0f} MB")

        def first_screen() -> None:
            with TreeStore.open(path) as store:
                LiveRun().attach(store, store.latest_run())

        timed("open for writing, and the first screen's nodes", first_screen)
        with TreeStore.open(path, read_only=True) as store:
            run = store.latest_run()
            deep = store.node(run.id, "R" + ".L" * DEPTH)
            timed(f"lineage of a node {DEPTH:,} deep", lambda: store.lineage(deep.id))
            timed("all nodes in brief", lambda: sum(map(len, store.summaries(run.id))))
        log = [sys.executable, "-m", "explorer.cli", "log", str(path), "--limit", "50"]
        timed(
            "pe-explore log --limit 50",
            lambda: subprocess.run(log, capture_output=True, check=True),
        )
        print("the app on it, in a pty", measure(path, 20, False))


if __name__ == "__main__":
    main()
