"""The paper's setting as one command that resumes: ResNet56 on CIFAR-10, twenty iterations.

Usage: python benchmarks/full_size.py [--checkpoint FILE] [--store FILE] [--minutes M] [OPTIONS]
OPTIONS are those of `pe-explore auto`.
Grows the tree until it is whole or the minutes are over, and prints its kept path beside the
paper's rows for the same network. Called again with the same options it goes on where it ended.
On a GPU give the paper's effort (`--protocol paper`, or `--recovery-epochs 10 --tune-epochs 30`);
two CPU cores do a part of it with `--train-limit 5000 --recovery-epochs 1 --tune-epochs 2
--criterion kl-fast --criterion-samples 20`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from explorer.views.kept_path import kept_path
from explorer.views.published.fitting import fitting
from explorer.views.stored_nodes import node_views
from store import TreeStore

CHECKPOINT = Path(__file__).parents[1] / "sample_checkpoints" / "resnet56-cifar10.pt"


def grow(command: list[str], minutes: float | None) -> str:
    """Runs `auto` for that long; says how it ended."""
    process = subprocess.Popen(command)
    try:
        process.wait(None if minutes is None else 60 * minutes)
    except subprocess.TimeoutExpired:
        process.terminate()  # what is under way is lost, what is done is stored
        process.wait()
        return f"stopped after {minutes:g} minutes"
    except KeyboardInterrupt:
        process.wait()
        return "stopped by hand"
    return "whole" if process.returncode == 0 else f"ended with {process.returncode}"


def table(path: Path) -> None:
    """Prints the kept path, and what the paper reports."""
    with TreeStore.open(path, read_only=True) as store:
        run = store.latest_run()
        assert run is not None
        nodes = kept_path(node_views(store, run.id))
        published = fitting(run.architecture, "cifar10").results
    root = nodes[0]
    print("node | MACs −% | params −% | CKA | val % | test % | Δ test | seconds")
    for node in nodes:
        fewer = 100 * (1 - node.metrics["params"] / root.metrics["params"])
        change = _written(node.test_accuracy, root.test_accuracy)
        print(
            f"{node.name} | {node.macs_reduction or 0:.1f} | {fewer:.1f} | "
            f"{_written(node.similarity)} | {_written(node.val_accuracy)} | "
            f"{_written(node.test_accuracy)} | {change} | {_written(node.seconds)}"
        )
    for row in published:
        if row.kind == "primary" and row.change is not None:
            print(f"{row.method}, {row.year}: MACs −{row.macs_reduction} %, Δ {row.change:+.2f}")


def _written(value: float | None, less: float | None = 0.0) -> str:
    return "–" if value is None or less is None else f"{value - less:.4g}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--store", type=Path, default=Path("full-size.pex.db"))
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--minutes", type=float)
    asked, options = parser.parse_known_args()
    command = [
        sys.executable, "-m", "explorer.cli", "auto", str(asked.checkpoint),
        "--store", str(asked.store), "--iterations", str(asked.iterations), *options,
    ]  # fmt: skip
    started = time.perf_counter()
    ended = grow(command, asked.minutes)
    print(f"{ended}; {(time.perf_counter() - started) / 60:.1f} minutes")
    if asked.store.exists():
        table(asked.store)


if __name__ == "__main__":
    main()
