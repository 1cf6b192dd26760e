"""Makes growing-N.db and what it says, growing-N.json: a tree in the middle of its growth.

PYTHONPATH=.:tests/store python tests/store/golden/make_growing.py
Run once, when format N was the newest. What runs stays so, as where a session was killed.
"""

from __future__ import annotations

import json
from pathlib import Path

from golden.make_format import describe
from small_tensors import FILTER, LAYER, WITHOUT_FILTERS, grow, tensors

from store import TreeStore
from store.sqlite import schema

FOLDER = Path(__file__).parent


def fill(store: TreeStore) -> None:
    """Decided, undone and decided again; below it candidates of every state, and one freed."""
    nodes = grow(store)
    run, root = store.runs()[0], nodes["R"]
    store.extend_run_settings(run.id, {"iterations": 9})
    store.undecide(root.id, actor="user", reason="undid it")
    both = [nodes["R.L"].id, nodes["R.F"].id]
    store.decide(
        root.id, kept=both, suggested=both[0], actor="user", reason="both", margin=0.125,
        margin_low=-0.25, margin_high=0.5, too_close=True,
    )  # fmt: skip
    store.tag(nodes["R.L"].id, "good")
    store.tag(nodes["R.F"].id, "small")
    store.tag(nodes["R.F"].id, "small", on=False)
    store.note(nodes["R.F"].id, "grüße [/foo]")
    store.drop(nodes["R.L.F2"].id)
    store.free()
    # Of R.F nothing is decided: one candidate is ready, one under way, and two were given up.
    ready, running, failed, cancelled = store.add_candidates(
        nodes["R.F"].id, proposal={"criterion": "kl"}, edits=[LAYER, FILTER, LAYER, FILTER]
    )
    shapes = {name: shape for name, shape in WITHOUT_FILTERS.items() if "layer1.1" not in name}
    store.finish(
        ready.id, "recovered", snapshot=tensors(shapes, 9),
        metrics={"similarity": 0.75, "val_accuracy": float("nan")}, epochs=[{"loss": 0.5}],
        resamples=[0.5, 0.25], seconds=1.5,
    )  # fmt: skip
    store.set_state(failed.id, "failed", "out of memory")
    store.set_state(cancelled.id, "cancelled")
    store.set_state(running.id, "running")
    # Below R.L.F nothing has begun.
    edits = [LAYER, FILTER, {"structure": "neuron"}, {"structure": "bias"}, {"structure": "bias"}]
    store.add_candidates(nodes["R.L.F"].id, proposal={"scores": [0.5]}, edits=edits)
    for phase, ms in (("recovered", 1.5), ("tuned", float("nan"))):
        store.add_evaluation(nodes["R.L"].id, phase, "latency", {"batch": 1}, {"ms": ms})
    store.add_evaluation(nodes["R.L.F2"].id, "recovered", "robust", {"eps": 0.5}, {"top 1": 50.0})
    store.add_event(run.id, "remark", {"text": "then the power failed"}, running.id)


if __name__ == "__main__":
    number = schema.newest_format()
    with TreeStore.open(FOLDER / f"growing-{number}.db", create=True) as new:
        fill(new)
        text = json.dumps(describe(new), indent=1, sort_keys=True)
        (FOLDER / f"growing-{number}.json").write_text(text + "\n")
