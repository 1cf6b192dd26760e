"""Where the time of a node goes: scoring, building, recovery, comparing, tuning, and the rest.

Usage: python benchmarks/node.py [CHECKPOINT DATA] [OPTION=VALUE …] [--threads T]
Options are settings, e.g. train_limit=5000 recovery_epochs=1. Expands the root once, in this
process, and tunes the first candidate. Prints the seconds of each stage, its share, and how near
training comes to what this machine's convolutions can do at best, as measured here too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.contracts.settings import Settings
from engine.runtime import device
from engine.runtime.progress import SILENT
from engine.worker import handlers as jobs

STAGES = {  # names that engine.worker.handlers calls, and what they are
    "train": "training", "evaluate": "evaluating", "resampled": "bootstrap of CKA",
    "latencies_ms": "latency", "cost_of": "counting MACs", "load": "reading data",
}  # fmt: skip


class Clock:
    """Adds up the time that functions take, by stage; what one calls counts for itself only."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inner = [0.0]

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - started
                self.seconds[stage] += took - self._inner.pop()
                self._inner[-1] += took

        return call


def watch(clock: Clock) -> None:
    """Puts the clock around what jobs call."""
    for name, stage in STAGES.items():
        setattr(jobs, name, clock.timed(stage, getattr(jobs, name)))
    for name, criterion in list(jobs.CRITERIA.items()):
        jobs.CRITERIA[name] = clock.timed("scoring", criterion)
    for name, similarity in list(jobs.SIMILARITIES.items()):
        compare = clock.timed("CKA", similarity.compare)
        jobs.SIMILARITIES[name] = similarity._replace(compare=compare)
    jobs.edits.apply = clock.timed("building the candidate", jobs.edits.apply)
    jobs.Engine._spooled = clock.timed("writing tensors", jobs.Engine._spooled)  # type: ignore


def best_gflops() -> float:
    """What 3×3 convolutions of 64 channels reach, forwards and backwards, at batch 128."""
    conv = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False)
    images = torch.randn(128, 64, 8, 8, requires_grad=True).to(memory_format=torch.channels_last)
    conv = conv.to(memory_format=torch.channels_last)
    operations, best = 3 * 2 * 128 * 64 * 64 * 64 * 9, 0.0
    for _ in range(20):
        started = time.perf_counter()
        out = conv(images)
        torch.autograd.grad(out, (images, conv.weight), torch.ones_like(out))
        best = max(best, operations / (time.perf_counter() - started) / 1e9)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="CHECKPOINT DATA")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    samples = Path(__file__).parents[1] / "sample_checkpoints"
    model, data = asked.files or (str(samples / "sample.pt"), "sample")
    given = dict(item.split("=", 1) for item in asked.set)
    quick = {"train_limit": 3000, "recovery_epochs": 1, "tune_epochs": 2, "criterion_samples": 20}
    defaults = Settings().as_dict()
    chosen = {k: type(defaults[k] or 0)(v) if not isinstance(defaults[k], str) else v
              for k, v in given.items()}  # fmt: skip
    settings = {**quick, **chosen, "data": data}
    execution = device.choose("cpu", asked.threads)
    clock = Clock()
    watch(clock)
    with tempfile.TemporaryDirectory() as folder:
        engine = jobs.Engine(Path(folder))
        profile(engine, clock, model, settings, execution)


def profile(
    engine: Any, clock: Clock, model: str, settings: dict[str, Any], execution: Any
) -> None:
    """Expands the root and tunes a candidate; prints where the time went."""
    run = engine.run({"kind": "open", "path": model, "settings": settings}, SILENT)
    common = {"settings": settings, "data": run["data"], "execution": execution.as_dict()}
    root = {"name": "R", "architecture": run["architecture"], "snapshot": run["snapshot"]}
    clock.seconds.clear()
    started = time.perf_counter()
    proposal = engine.run(
        {"kind": "propose", "name": "R", "parent": root, "seed": 0, **common}, SILENT
    )
    recovered = [
        engine.run({"kind": "recover", "name": "R.X", "parent": root, "edit": edit, "seed": 1,
                    "resample_seed": 2, **common}, SILENT)
        for edit in proposal["edits"]
    ]  # fmt: skip
    architecture = {**run["architecture"], "edits": [proposal["edits"][0]]}
    node = {"name": "R.X", "architecture": architecture, "snapshot": recovered[0]["snapshot"]}
    tuned = engine.run({"kind": "tune", "name": "R.X", "node": node, "seed": 3, **common}, SILENT)
    total = time.perf_counter() - started
    known = sum(clock.seconds.values())
    for stage, seconds in [*clock.seconds.most_common(), ("the rest", total - known)]:
        print(f"{stage:24} {seconds:8.2f} s {100 * seconds / total:6.1f} %")
    print(f"{'one expansion and tuning':24} {total:8.2f} s")
    images = settings["train_limit"]
    epochs = [*((r, len(r["epochs"])) for r in recovered), (tuned, len(tuned["epochs"]))]
    macs = [*(r["metrics"]["macs"] for r in recovered), recovered[0]["metrics"]["macs"]]
    operations = sum(3 * 2 * m * images * n for m, (_, n) in zip(macs, epochs, strict=True))
    best = best_gflops()
    reached = operations / clock.seconds["training"] / 1e9
    print(f"training at {reached:.1f} GFLOPS; convolutions alone reach {best:.1f} at best")


if __name__ == "__main__":
    main()
