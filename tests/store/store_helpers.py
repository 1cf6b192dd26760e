"""Short ways to a store with something in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from store import Node, Run, TreeStore

REPOSITORY = Path(__file__).resolve().parents[2]
LAYER = {"structure": "layer", "blocks": ["layer1.0"]}
FILTER = {"structure": "filter", "groups": {"layer1.0.conv1": [0, 3]}}


def make_run(store: TreeStore, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "name": "resnet56",
        "seed": 7,
        "architecture": {"factory": "resnet", "arguments": {"depth": 56}},
        "data": {"name": "cifar10", "classes": ["cat", "dog"]},
        "settings": {"iterations": 3},
        "environment": {"torch": "2.15", "threads": 2},
        "root_metrics": {"val_accuracy": 93.5, "macs": 1000},
        "root_snapshot": b"root tensors",
    }
    return store.create_run(**(values | changes))


def settings_of(store: TreeStore, run_id: int) -> list[Any]:
    """The settings a run has had, the oldest first."""
    rows = store._connection.rows(
        "SELECT json FROM run_settings JOIN settings ON hash = settings_hash WHERE run_id = ?"
        " ORDER BY id",
        (run_id,),
    )
    return [json.loads(row["json"]) for row in rows]


def root_of(store: TreeStore) -> Node:
    run = store.latest_run() or make_run(store)
    return store.node(run.id, "R")


def add(store: TreeStore, parent: Node, *edits: dict[str, Any]) -> list[Node]:
    return store.add_candidates(
        parent.id, proposal={"criterion": "kl"}, edits=list(edits or (LAYER, FILTER))
    )


def finish(store: TreeStore, node: Node, phase: Any = "recovered", **changes: Any) -> Node:
    values: dict[str, Any] = {
        "snapshot": f"{node.name} {phase}".encode(),
        "metrics": {"val_accuracy": 90.0, "similarity": 0.9}
        if phase == "recovered"
        else {"val_accuracy": 92.0},
        "epochs": [{"loss": 0.5}, {"loss": 0.25}],
        "resamples": [0.25, 0.5],
        "seconds": 1.5,
    }
    return store.finish(node.id, phase, **(values | changes))


def decide(store: TreeStore, parent: Node, *kept: Node, **changes: Any) -> Any:
    values: dict[str, Any] = {"suggested": None, "actor": "user", "reason": "because"}
    return store.decide(parent.id, kept=[node.id for node in kept], **(values | changes))


def start_python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process that runs `script` with the store importable."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
