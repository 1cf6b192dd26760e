"""From a key to the paint in a real pty, and from the command to the first content.

Usage: python benchmarks/keys.py [--keys N] [--nodes 10000 100000]
Idle, while a process computes on every core at the worker's priority, and in large trees. A key
moves the selection; it is painted with the first bytes that come out of the pty, and counts only
if the name of the node that it leads to follows. Prints p50 and p99 in milliseconds. Nothing here
is asserted in the tests.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

COLUMNS, LINES = 120, 36
BUSY = (
    "import os, torch; os.nice(10); x = torch.rand(800, 800)\n"
    "while True: x @ x"
)  # on all cores, niced as the worker is


# How the card's headings begin.
ROOT_HEADING, CHILD_HEADING = " R · ".encode(), " R.L · ".encode()


class Screen:
    """The app in a pty of its own."""

    def __init__(self, store: Path) -> None:
        self.started = time.perf_counter()
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment = {
            **inherited, "TERM": "xterm-256color", "PE_EXPLORE_STATE": str(store) + ".state",
            "PE_EXPLORE_CONFIG": os.devnull, "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "explorer.cli", str(store)], stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True, env=environment,
        )  # fmt: skip
        os.close(slave)
        self.file = master
        self.seen = b""

    def read_until(self, wanted: bytes, seconds: float = 60.0) -> float:
        """When the output held the bytes (seconds on the clock)."""
        deadline = time.perf_counter() + seconds
        while wanted not in self.seen:
            if time.perf_counter() > deadline:
                end = self.seen[-300:]
                raise SystemExit(f"never painted {wanted!r}; the end of what was: {end!r}")
            if select.select([self.file], [], [], 0.5)[0]:
                self.seen = self.seen[-20_000:] + os.read(self.file, 65536)
        now = time.perf_counter()
        self.seen = self.seen.split(wanted, 1)[1]
        return now

    def drain(self, quiet: float = 0.1) -> None:
        """Reads until nothing comes for a while."""
        while select.select([self.file], [], [], quiet)[0]:
            os.read(self.file, 65536)
        self.seen = b""

    def key(self, key: bytes, wanted: bytes) -> float:
        """Milliseconds from a key to the first output, which must lead to the wanted one."""
        self.drain(0.1)
        started = time.perf_counter()
        os.write(self.file, key)
        select.select([self.file], [], [], 5.0)
        painted = time.perf_counter()
        self.read_until(wanted)
        return 1000 * (painted - started)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.file)


def create_run(store):
    """A run that the app can open, of a ResNet56 without weights."""
    return store.create_run(
        name="bench", seed=0,
        architecture={"factory": "cifar_resnet", "arguments": ARGUMENTS, "edits": []},
        data={"name": "none", "mean": [0.0], "std": [1.0], "classes": ["a"]},
        settings={"data": "sample"},
        environment={"device": "cpu", "num_threads": 1, "autocast": None},
        root_metrics={"val_accuracy": 93.0, "macs": 1e8, "params": 1e6},
        root_snapshot=b"root",
    )  # fmt: skip


def make_store(path: Path, num_nodes: int) -> None:
    """A greedy tree of that many nodes, written through the store."""
    from store import TreeStore

    with TreeStore.open(path, create=True) as store:
        run = create_run(store)
        with store._connection.writing():  # one transaction: this is no test of the disk
            _grow(store, store.node(run.id, "R"), num_nodes)


ARGUMENTS = {
    "stem_width": 16, "stage_widths": [16, 32, 64],
    "inner_widths": [[16] * 9, [32] * 9, [64] * 9], "shortcut": "A", "conv_bias": False,
    "num_classes": 10, "in_channels": 3,
}  # fmt: skip


def _grow(store, root, num_nodes: int) -> None:
    """Breadth first, so that names stay short: both candidates of every parent."""
    parents, made = [root], 1
    while made < num_nodes:
        parent = parents.pop(0)
        candidates = store.add_candidates(
            parent.id,
            proposal={"criterion": "kl", "scores": {"blocks": {}, "filters": {}}},
            edits=[{"structure": "layer", "blocks": ["layer1.1"]},
                   {"structure": "filter", "filters": {"layer1.0.conv1": [1]}}],
        )  # fmt: skip
        for node in candidates:
            store.finish(
                node.id, "recovered", snapshot=b"x", epochs=[], resamples=None, seconds=1.0,
                metrics={"similarity": 0.98, "val_accuracy": 92.0, "val_accuracy_before": 80.0,
                         "macs": 9e7, "params": 9e5},
            )  # fmt: skip
        store.decide(parent.id, kept=[candidates[0].id], suggested=candidates[0].id, actor="cka",
                     reason="more similar")  # fmt: skip
        store.finish(
            candidates[0].id, "tuned", snapshot=b"y", epochs=[], resamples=None, seconds=1.0,
            metrics={"val_accuracy": 92.5},
        )  # fmt: skip
        parents += candidates
        made += len(candidates)


def measure(store: Path, num_keys: int, busy: bool) -> dict[str, float]:
    """Seconds to the first content, and milliseconds from keys to paints."""
    helper = subprocess.Popen([sys.executable, "-c", BUSY]) if busy else None
    screen = Screen(store)
    try:
        first = screen.read_until(b"pe-explore") - screen.started
        tree = screen.read_until("●".encode()) - screen.started
        screen.drain(1.0)
        screen.key(b"\x1b[H", ROOT_HEADING)  # home: the root
        times = []
        for step in range(num_keys):
            down = step % 2 == 0
            times.append(
                screen.key(b"j" if down else b"k", CHILD_HEADING if down else ROOT_HEADING)
            )
    finally:
        screen.close()
        if helper is not None:
            helper.kill()
            helper.wait()
    times.sort()
    return {
        "first_content_s": round(first, 2),
        "tree_s": round(tree, 2),
        "p50_ms": round(statistics.median(times), 1),
        "p99_ms": round(times[min(len(times) - 1, int(0.99 * len(times)))], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--nodes", type=int, nargs="*", default=[10_000, 100_000])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.pex.db"
        make_store(small, 31)
        measure(small, 2, False)  # the first start of all compiles the modules
        for name, busy in (("31 nodes, idle", False), ("31 nodes, all cores busy", True)):
            print(name, json.dumps(measure(small, asked.keys, busy)), flush=True)
        for count in asked.nodes:
            store = Path(folder) / f"{count}.pex.db"
            make_store(store, count)
            print(f"{count} nodes, idle", json.dumps(measure(store, asked.keys, False)), flush=True)


if __name__ == "__main__":
    main()
