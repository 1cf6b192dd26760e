"""What repairs and recoveries do for the two candidates of a root.

Usage: python benchmarks/recoveries.py [CHECKPOINT DATA] [--set OPTION=VALUE …] [--seeds N]
    [--only repairs|recoveries]
Options are settings, e.g. train_limit=5000 recovery_epochs=1. Prints validation accuracy before
recovery with each repair, and after recovery with each recovery, with how long the jobs of both
candidates took: means and standard deviations over seeds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

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
)
from engine.contracts.methods import REPAIRS
from engine.contracts.networks import DataRef, Execution, FileRef, NetworkRef, Reading
from engine.contracts.options import SettingValue
from engine.contracts.settings import Settings, setting_named, with_values
from engine.runtime import device
from engine.runtime.progress import SILENT
from engine.worker.engine import Engine

QUICK: dict[str, SettingValue] = {
    "recovery_epochs": 1,
    "tune_epochs": 30,
    "criterion": "kl-fast",
    "num_resamples": 0,
}
WAYS: tuple[dict[str, SettingValue], ...] = (
    {"recover": "full"},
    {"recover": "norms"},
    {"recover": "biases"},
    {"recover": "head"},
    {"recover": "lora"},
    {"recover": "scratch"},
    {"distill": "parent"},
    {"distill": "parent:features"},
    {"train_subset": "random:0.5"},
    {"train_subset": "el2n:0.5"},
    {"train_subset": "random:0.5", "distill": "parent"},
    {"repair": "bn"},
    {"repair": "least-squares"},
    {"repair": "bn", "recover": "norms"},
)


class Bench:
    """A root and its two candidates."""

    def __init__(self, engine: Engine, model: str, settings: Settings, execution: Execution):
        self.engine, self.settings, self.execution = engine, settings, execution
        self.places = Places(data=settings.data.source, checkpoint=model)
        reading = Reading(settings.data.train_limit)
        opened = OpenRoot(FileRef(Path(model).name, ""), device="cpu", reading=reading)
        run: Opened = self.do(opened)
        self.root = NetworkRef(run.architecture, run.snapshot)
        self.data = DataRef(run.data.digest, run.data.mean, run.data.std, reading)
        wanted = Propose(self.root, self.data, execution, settings.scoring, seed=0)
        proposed: Proposed = self.do(wanted)
        self.edits = proposed.edits
        print(f"root {run.metrics['val_accuracy']:.2f} %, {run.data.num_train:,} training images")

    def do(self, job: Job) -> Any:
        return self.engine.run(JobRequest(job.KIND, job, places=self.places), SILENT)

    def recovered(self, seed: int, **changes: SettingValue) -> tuple[list[Recovered], list[float]]:
        training = with_values(self.settings, changes).training
        found, seconds = [], []
        for edit in self.edits:
            started = time.perf_counter()
            job = Recover(
                self.root, edit, self.data, self.execution, training, self.settings.similarity,
                seed, 0,
            )  # fmt: skip
            found.append(self.do(job))
            seconds.append(time.perf_counter() - started)
        return found, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="CHECKPOINT DATA")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("repairs", "recoveries"))
    asked = parser.parse_args()
    samples = Path(__file__).parents[1] / "sample_checkpoints"
    model, data = asked.files or (str(samples / "sample.pt"), "sample")
    given = dict(item.split("=", 1) for item in asked.set)
    chosen = {name: setting_named(name).type(value) for name, value in given.items()}
    settings = with_values(Settings(), {**QUICK, **chosen, "data": data})
    execution = device.choose("cpu", asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Engine(Path(folder)), model, settings, execution)
        if asked.only != "recoveries":
            print_repairs(bench, asked.seeds)
        if asked.only != "repairs":
            print_ways(bench, asked.seeds)


def print_repairs(bench: Bench, num_seeds: int) -> None:
    names = " ".join(f"{edit.structure:>16}" for edit in bench.edits)
    print(f"before recovery   {names}   seconds")
    plain = 0.0
    for name in REPAIRS:
        seeds = range(num_seeds) if name != "none" else range(1)
        runs = [bench.recovered(seed, repair=name, recovery_epochs=0) for seed in seeds]
        seconds = statistics.median(sum(took) for _, took in runs)
        plain = plain or seconds
        print(f"{name:17} {_figures(runs, 'val_accuracy_before')}   {seconds - plain:+.1f}")


def print_ways(bench: Bench, num_seeds: int) -> None:
    print("after recovery")
    for way in WAYS:
        runs = [bench.recovered(seed, **way) for seed in range(num_seeds)]
        seconds = statistics.median(sum(took) for _, took in runs)
        words = " ".join(f"{name}={value}" for name, value in way.items())
        print(f"{words:45} {_figures(runs, 'val_accuracy')}   {seconds:.1f}", flush=True)


def _figures(runs: list[tuple[list[Recovered], list[float]]], key: str) -> str:
    """For each candidate the mean over seeds, and their standard deviation."""
    told = []
    for values in zip(*([each.metrics[key] for each in found] for found, _ in runs), strict=True):
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        told.append(f"{statistics.mean(values):9.2f} ±{spread:5.2f}")
    return " ".join(told)


if __name__ == "__main__":
    main()
