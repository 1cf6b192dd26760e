"""Makes format-1.db and what it says, format-1.json. Run once, when format 1 was the newest.

PYTHONPATH=.:tests/store python tests/store/golden/make_format_1.py
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from store_helpers import settings_of

from store import SnapshotFreedError, TreeStore

FOLDER = Path(__file__).parent


def describe(store: TreeStore) -> dict[str, Any]:
    """All that a store says, as JSON."""
    said: dict[str, Any] = {"runs": [asdict(run) for run in store.runs()], "snapshots": {}}
    for run in store.runs():
        nodes = store.nodes(run.id)
        said["settings"] = settings_of(store, run.id)
        said["nodes"] = [asdict(node) for node in nodes]
        said["decisions"] = [asdict(decision) for decision in store.decisions(run.id)]
        said["events"] = [asdict(event) for event in store.events(run.id)]
        said["proposals"] = [asdict(p) for node in nodes for p in store.proposals(node.id)]
        said["epochs"] = [asdict(epoch) for node in nodes for epoch in store.epochs(node.id)]
        for node in nodes:
            for phase in node.phases:
                address = store.snapshot_hash(node.id, phase)
                said["snapshots"][f"{node.name} {phase}"] = weights(store, address)
    return json.loads(json.dumps(said).replace("NaN", '"nan"').replace("Infinity", '"inf"'))


def weights(store: TreeStore, address: str) -> str:
    """The bytes of a snapshot as text; of long ones the hash of what was read."""
    try:
        content = store.snapshot(address)
    except SnapshotFreedError:
        return "freed"
    return content.decode() if len(content) < 100 else hashlib.sha256(content).hexdigest()


def fill(store: TreeStore) -> None:
    """A small tree in which everything occurs."""
    run = store.create_run(
        name="golden",
        seed=7,
        architecture={"factory": "resnet"},
        data={"name": "cifar10"},
        settings={"iterations": 3},
        environment={"torch": "2.15"},
        root_metrics={"val_accuracy": 93.5},
        root_snapshot=b"R",
    )
    store.extend_run_settings(run.id, {"iterations": 5})
    edits: list[dict[str, Any]] = [{"structure": name} for name in ("layer", "filter", "head")]
    root = store.node(run.id, "R")
    layer, filters, head = store.add_candidates(root.id, proposal={"criterion": "kl"}, edits=edits)
    for node in (layer, filters):
        store.finish(
            node.id,
            "recovered",
            snapshot=node.name.encode(),
            metrics={"similarity": 0.5, "loss": math.nan},
            epochs=[{"loss": math.inf}, {"loss": 0.25}],
            resamples=[0.25, 0.75],
            seconds=1.5,
        )
    store.set_state(head.id, "failed", "out of memory")
    for kept in (filters, layer):
        store.decide(
            root.id,
            kept=[kept.id],
            suggested=layer.id,
            actor="user",
            reason="to see",
            margin=0.25,
            margin_low=0.125,
            margin_high=0.5,
            too_close=False,
        )
    store.finish(
        layer.id, "tuned", snapshot=b"tuned", metrics={}, epochs=[], resamples=None, seconds=2.0
    )
    store.add_candidates(layer.id, proposal={}, edits=edits[:2])
    store.add_event(run.id, "note", {"text": "grüße"}, layer.id)


if __name__ == "__main__":
    with TreeStore.open(FOLDER / "format-1.db", create=True) as new:
        fill(new)
        text = json.dumps(describe(new), indent=1, sort_keys=True)
        (FOLDER / "format-1.json").write_text(text + "\n")
