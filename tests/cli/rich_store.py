"""A store with everything in it that a NODE can show, always the same one."""

from __future__ import annotations

import sys
from pathlib import Path

from store import Node, Run, TreeStore

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from small_tensors import FILTER, LAYER, ROOT, WITHOUT_FILTERS, WITHOUT_LAYER, tensors

WITHOUT_BOTH = {n: s for n, s in WITHOUT_FILTERS.items() if "layer1.1" not in n}
ENVIRONMENT = {"device": "cpu", "num_threads": 1, "autocast": None, "torch": "2.15"}


def measured(accuracy: float, macs: float, params: float, similarity: float | None) -> dict:
    metrics = {
        "val_accuracy": accuracy, "val_accuracy_before": accuracy - 10.25, "macs": macs,
        "params": params, "latency_ms": 3.5, "latency_ratio": 0.875, "val_loss": 0.5,
    }  # fmt: skip
    return metrics if similarity is None else metrics | {"similarity": similarity}


def finish(store: TreeStore, node: Node, phase: str, content: bytes, metrics: dict) -> None:
    epochs = [{"epoch": i, "loss": 0.5 / (i + 1), "accuracy": 80.5 + i, "learning_rate": 0.01,
               "images_per_second": 100.0} for i in range(2)]  # fmt: skip
    store.finish(node.id, phase, snapshot=content, metrics=metrics, epochs=epochs,
                 resamples=[0.25, 0.5], seconds=1.5)  # fmt: skip


def grow(path: Path, *, keep: str = "R.L", seed: int = 7, settings: dict | None = None) -> Run:
    """R with two candidates of which one is kept; below it one kept, one that failed, and one
    more; tags, a note, a dropped node."""
    with TreeStore.open(path, create=True) as store:
        run = store.create_run(
            name="tiny-1", seed=seed, architecture={"factory": "tiny", "arguments": {"depth": 8}},
            data={"name": "sample", "digest": "d"}, settings=settings or {"iterations": 2},
            environment=ENVIRONMENT, root_snapshot=tensors(ROOT),
            root_metrics={"val_accuracy": 93.5, "test_accuracy": 93.25, "macs": 1000,
                          "params": 400, "latency_ms": 4.0},
        )  # fmt: skip
        root = store.node(run.id, "R")
        layer, filters = store.add_candidates(
            root.id, proposal={"criterion": "kl"}, edits=[LAYER, FILTER]
        )
        finish(store, layer, "recovered", tensors(WITHOUT_LAYER, 1), measured(90, 800, 300, 0.975))
        finish(store, filters, "recovered", tensors(WITHOUT_FILTERS, 2),
               measured(91.5, 850, 350, 0.9625))  # fmt: skip
        kept = store.node(run.id, keep)
        store.decide(root.id, kept=[kept.id], suggested=layer.id, actor="cka",
                     reason="CKA 0.9750 ≥ 0.9625", margin=0.0125, margin_low=-0.001,
                     margin_high=0.02, too_close=True)  # fmt: skip
        shapes = WITHOUT_LAYER if keep == "R.L" else WITHOUT_FILTERS
        finish(store, kept, "tuned", tensors(shapes, 3),
               {"val_accuracy": 92.25, "test_accuracy": 91.75})  # fmt: skip
        below = store.add_candidates(kept.id, proposal={}, edits=[FILTER, FILTER])
        finish(store, below[0], "recovered", tensors(WITHOUT_BOTH, 4), measured(89, 700, 250, 0.95))
        store.set_state(below[1].id, "failed", "the loss became nan")
        store.decide(kept.id, kept=[below[0].id], suggested=None, actor="user", reason="mine")
        store.tag(below[0].id, "best")
        store.note(below[0].id, "watch [/this]")
        store.drop(store.node(run.id, "R.F" if keep == "R.L" else "R.L").id)
        return run
