"""Where the time of a node goes: scoring, building, recovery, comparing, tuning, and the rest.

Usage: python benchmarks/node.py [CHECKPOINT DATA] [--set OPTION=VALUE …] [--threads T]
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
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from engine.contracts.jobs import (
    Job,
    JobRequest,
    Opened,
    OpenRoot,
    Places,
    Propose,
    Proposed,
    Recover,
    Recovered,
    Tune,
    Tuned,
)
from engine.contracts.networks import DataRef, Execution, FileRef, NetworkRef, Reading
from engine.contracts.settings import Settings, setting_named, with_values
from engine.pruning import editing
from engine.pruning.criteria import CRITERIA
from engine.runtime import device
from engine.runtime.progress import SILENT
from engine.worker import likeness, recovering, roots, workbench
from engine.worker.engine import Engine

QUICK = {"train_limit": 3000, "recovery_epochs": 1, "tune_epochs": 2, "criterion_samples": 20}

STAGES = {  # names that engine.worker.recovering, roots and likeness call, and what they are
    "train": "training", "evaluate": "evaluating", "compared": "CKA and its bootstrap",
    "latency_ms": "latency", "latency_beside": "latency", "cost_of": "counting MACs",
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
        for module in (recovering, roots, likeness):
            if hasattr(module, name):
                setattr(module, name, clock.timed(stage, getattr(module, name)))
    workbench.evaluate = clock.timed("evaluating", workbench.evaluate)  # the parent's features
    workbench.load = clock.timed("reading data", workbench.load)
    for name, criterion in list(CRITERIA.items()):
        CRITERIA[name] = clock.timed("scoring", criterion)
    editing.apply = clock.timed("building the candidate", editing.apply)
    workbench.Workbench.keep = clock.timed("writing tensors", workbench.Workbench.keep)  # type: ignore


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
    chosen = {name: setting_named(name).type(value) for name, value in given.items()}
    settings = with_values(Settings(), {**QUICK, **chosen, "data": data})
    execution = device.choose("cpu", asked.threads)
    clock = Clock()
    watch(clock)
    with tempfile.TemporaryDirectory() as folder:
        profile(Engine(Path(folder)), clock, model, settings, execution)


def profile(
    engine: Engine, clock: Clock, model: str, settings: Settings, execution: Execution
) -> None:
    """Expands the root and tunes a candidate; prints where the time went."""
    places = Places(data=settings.data.source, checkpoint=model)
    reading = Reading(settings.data.train_limit)

    def do(job: Job) -> Any:
        return engine.run(JobRequest(job.KIND, job, places=places), SILENT)

    run: Opened = do(OpenRoot(FileRef(Path(model).name, ""), device="cpu", reading=reading))
    root = NetworkRef(run.architecture, run.snapshot)
    data = DataRef(run.data.digest, run.data.mean, run.data.std, reading)
    clock.seconds.clear()
    started = time.perf_counter()
    proposed: Proposed = do(Propose(root, data, execution, settings.scoring, seed=0))
    recovered: list[Recovered] = [
        do(Recover(root, edit, data, execution, settings.training, settings.similarity, 1, 2))
        for edit in proposed.edits
    ]
    architecture = replace(run.architecture, edits=(*run.architecture.edits, proposed.edits[0]))
    node = NetworkRef(architecture, recovered[0].snapshot)
    tuned: Tuned = do(Tune(node, data, execution, settings.training, seed=3))
    total = time.perf_counter() - started
    known = sum(clock.seconds.values())
    for stage, seconds in [*clock.seconds.most_common(), ("the rest", total - known)]:
        print(f"{stage:24} {seconds:8.2f} s {100 * seconds / total:6.1f} %")
    print(f"{'one expansion and tuning':24} {total:8.2f} s")
    trained = [(each.metrics["macs"], len(each.epochs)) for each in recovered]
    trained.append((recovered[0].metrics["macs"], len(tuned.epochs)))
    operations = sum(3 * 2 * macs * run.data.num_train * epochs for macs, epochs in trained)
    best = best_gflops()
    reached = operations / clock.seconds["training"] / 1e9
    print(f"training at {reached:.1f} GFLOPS; convolutions alone reach {best:.1f} at best")


if __name__ == "__main__":
    main()
