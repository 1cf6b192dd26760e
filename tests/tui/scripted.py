"""An executor that follows a script: a tree whose figures depend on nothing but names.

Jobs are answered at once, or when the test lets them go; they fail as the test says.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

ARCHITECTURE = {
    "factory": "cifar_resnet",
    "arguments": {
        "stem_width": 16,
        "stage_widths": [16, 32, 64],
        "inner_widths": [[16] * 9, [32] * 9, [64] * 9],
        "shortcut": "A",
        "conv_bias": False,
        "num_classes": 10,
        "in_channels": 3,
    },
    "edits": [],
}
ROOT_MACS, ROOT_PARAMS = 125_485_706, 853_018
# The values that a screen is best read with; other nodes take theirs from their names.
FIGURES = {
    "R.L": {"similarity": 0.9565, "val_accuracy": 92.80, "val_accuracy_before": 81.27},
    "R.L2": {"similarity": 0.9601},
    "R.F": {"similarity": 0.9733, "val_accuracy": 92.55, "val_accuracy_before": 90.10},
}


def noise(name: str, what: str) -> float:
    """A number in [0, 1) that belongs to a name."""
    return hashlib.sha256(f"{name} {what}".encode()).digest()[0] / 256


class ScriptedExecutor:
    """Answers jobs as a script says.

    `hold("recover R.L")` (or "recover": all of them) keeps jobs under way until `release`, `queue`
    keeps one waiting for a worker; `fail` gives errors to the next tries of a job; `figures` are
    metrics by node.
    """

    def __init__(self, figures: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self.spool = Path()
        self.figures = {**FIGURES, **(figures or {})}
        self.asked: list[str] = []  # "recover R.L", in the order they were run
        self.jobs: dict[str, Mapping] = {}  # the last job of each
        self.running: dict[str, asyncio.Event] = {}  # what is under way, to be let go
        self.ended = ""  # how the app parted: "left" or "closed"
        self.paused = False
        self.epochs = 3
        self._held: set[str] = set()
        self._errors: dict[str, list[Exception]] = {}
        self._listeners: dict[str, object] = {}
        self._queued: dict[str, asyncio.Event] = {}
        self._going = asyncio.Event()
        self._going.set()
        self._waiting: set[asyncio.Task] = set()

    # ------------------------------------------------------------ the script

    def hold(self, *jobs: str) -> None:
        self._held.update(jobs)

    def queue(self, *jobs: str) -> None:
        for name in jobs:
            self._queued[name] = asyncio.Event()

    def release(self, *jobs: str) -> None:
        """Lets jobs go on, all of them where none is named."""
        for name in jobs or tuple(self._queued):
            if name in self._queued:
                self._queued.pop(name).set()
        if jobs:
            self._held -= set(jobs)
        else:
            self._held.clear()
        for name, released in self.running.items():
            if not self._is_held(name):
                released.set()

    def fail(self, job: str, *errors: Exception) -> None:
        self._errors.setdefault(job, []).extend(errors)

    def tell(self, job: str, **event) -> None:
        """An event of a job that is under way."""
        self._listeners[job](event)

    def progress(self, job: str, share: float, **more) -> None:
        """The job is so far: a share of all, in epochs of a recovery of three."""
        epoch, name = share * self.epochs, job.split(" ")[1]
        figures = _trained_at(name, epoch - 1)
        self.tell(job, event="progress", phase="recovery", done=round(share * 1000), total=1000,
                  epoch=int(epoch) + 1, last_epoch=self.epochs, epoch_share=round(epoch % 1, 4),
                  images_per_second=1240.0, eta_seconds=round(100 * (1 - share), 1),
                  memory_bytes=900_000_000, **figures, **more)  # fmt: skip

    def _is_held(self, name: str) -> bool:
        return name in self._held or name.split(" ")[0] in self._held

    # ------------------------------------------------------------ the protocol

    async def run(self, job, on_event) -> dict:
        name = f"{job['kind']} {job.get('name', 'R')}"
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            if (turn := self._queued.get(name)) is not None:
                await turn.wait()
            return await self._run(job, name, on_event)
        finally:
            self._waiting.discard(task)

    async def _run(self, job, name, on_event) -> dict:
        self.asked.append(name)
        self.jobs[name] = job
        self._listeners[name] = on_event
        released = self.running[name] = asyncio.Event()
        try:
            on_event({"event": "started", "pid": 1})
            if self._is_held(name):
                await released.wait()
            await self._going.wait()
            if errors := self._errors.get(name):
                raise errors.pop(0)
            result = getattr(self, f"_{job['kind']}")(job, on_event)
        finally:
            del self.running[name]
        if "key" in job:  # as the engine does: finished work outlives a session that dies
            (self.spool / f"{job['key']}.json").write_text(json.dumps(result))
        return result

    def pause(self) -> None:
        self.paused = True
        self._going.clear()

    def resume(self) -> None:
        self.paused = False
        self._going.set()

    async def leave(self) -> int:
        num_left = len(self.running)
        self.ended = "left"
        self._cancel_all()
        return num_left

    async def close(self) -> None:
        self.ended = self.ended or "closed"
        self._cancel_all()

    async def warm_up(self) -> None:
        return None

    def _cancel_all(self) -> None:
        for task in list(self._waiting):
            task.cancel()

    # ------------------------------------------------------------ results

    def _snapshot(self, name: str) -> dict:
        content = f"weights of {name}".encode()
        sha256 = hashlib.sha256(content).hexdigest()
        self.spool.mkdir(parents=True, exist_ok=True)
        path = self.spool / f"{sha256}.safetensors"
        path.write_bytes(content)
        return {"path": str(path), "sha256": sha256}

    def _open(self, job, on_event) -> dict:
        data = job["settings"]["data"] or "cifar10"
        return {
            "architecture": ARCHITECTURE,
            "snapshot": self._snapshot("R"),
            "data": {"name": data, "digest": "0" * 64, "mean": [0.5], "std": [0.2],
                     "classes": [str(number) for number in range(10)]},
            "source": data,
            "environment": {"device": "cpu", "num_threads": 1, "autocast": None},
            "notes": [],
            "metrics": {"val_accuracy": 93.2, "val_loss": 0.31, "test_accuracy": 92.9,
                        "macs": ROOT_MACS, "params": ROOT_PARAMS, "latency_ms": 4.0},
            "seconds": 2.5,
        }  # fmt: skip

    def _propose(self, job, on_event) -> dict:
        name, left = job["name"], _left(job["parent"]["architecture"]["edits"])
        scores = {
            "blocks": {path: round(0.001 + noise(name, path) ** 3, 6) for path in left},
            "filters": {
                f"{path}.conv1": [round(noise(path, str(i)) / 50, 6) for i in range(width)]
                for path, width in left.items()
            },
        }
        wish = job.get("wish")
        edits = [_layer(scores, left), _filters(left, 2)] if wish is None else [_wished(wish, left)]
        told = {} if wish is None else {"wish": dict(wish)}
        on_event({"event": "progress", "phase": "scoring", "done": 1, "total": 1})
        return {**told, "criterion": job["settings"]["criterion"], "scores": scores,
                "edits": edits, "seconds": 4.0}  # fmt: skip

    def _recover(self, job, on_event) -> dict:
        name = job["name"]
        steps = name.split(".")[1:]
        share = 1 - sum(0.0375 if step[0] == "L" else 0.043 for step in steps)
        metrics = {
            "similarity": round(0.95 + 0.04 * noise(name, "cka"), 4),
            "val_accuracy_before": round(80 + 10 * noise(name, "before"), 2),
            "val_accuracy": round(93.4 - len(steps) * 0.3 + noise(name, "acc"), 2),
            "val_loss": 0.34,
            "macs": int(ROOT_MACS * share),
            "params": int(ROOT_PARAMS * share),
            "latency_ms": round(4.0 * share, 3),
            "latency_ratio": round(share, 3),
            **self.figures.get(name, {}),
        }
        similarity, phase = metrics["similarity"], 7 * noise(name, "phase")
        resamples = [similarity + 0.002 * math.sin(1.7 * i + phase) for i in range(50)]
        return {**self._trained(name, "recovered", 0, self.epochs, on_event),
                "metrics": metrics, "resamples": resamples}  # fmt: skip

    def _tune(self, job, on_event) -> dict:
        name = job["name"]
        better = {"val_accuracy": round(93.1 + noise(name, "tuned") / 2, 2), "val_loss": 0.29,
                  "test_accuracy": round(92.6 + noise(name, "test") / 2, 2)}  # fmt: skip
        trained = self._trained(name, "tuned", self.epochs, 2 * self.epochs, on_event)
        return {**trained, "metrics": better}

    def _trained(self, name: str, phase: str, first: int, last: int, on_event) -> dict:
        epochs = [
            {"epoch": epoch, **_trained_at(name, epoch), "learning_rate": 0.01,
             "images_per_second": 1240.0}
            for epoch in range(first, last)
        ]  # fmt: skip
        for figures in epochs:
            on_event({"event": "epoch", "phase": phase, "total_epochs": last, **figures})
        return {"epochs": epochs, "snapshot": self._snapshot(f"{name} {phase}"), "seconds": 60.0}


def _trained_at(name: str, epoch: float) -> dict:
    """The figures of a node's training after an epoch, counted from 0."""
    return {
        "loss": round(0.9 / (epoch + 2) + noise(name, "loss") / 10, 4),
        "accuracy": round(86 + 1.2 * epoch + noise(name, "train"), 2),
    }


def _left(edits) -> dict[str, int]:
    """The blocks that are left and the filters of their first convolutions."""
    left = {f"layer{n + 1}.{i}": width for n, widths in
            enumerate(ARCHITECTURE["arguments"]["inner_widths"])
            for i, width in enumerate(widths)}  # fmt: skip
    for edit in edits:
        for block in edit.get("blocks", ()):
            del left[block]
        for path, indices in edit.get("filters", {}).items():
            left[path.removesuffix(".conv1")] -= len(indices)
    return left


def _layer(scores, left) -> dict:
    removable = [path for path in left if path not in ("layer2.0", "layer3.0")]
    return {"structure": "layer", "blocks": [min(removable, key=scores["blocks"].__getitem__)]}


def _filters(left, count: int) -> dict:
    each = list(range(count))
    return {"structure": "filter", "filters": {f"{p}.conv1": each for p in list(left)[:8]}}


def _wished(wish, left) -> dict:
    if wish["structure"] == "layer":
        return {"structure": "layer", "blocks": list(wish["blocks"])}
    path = next(iter(left))
    return {"structure": "filter", "filters": {f"{path}.conv1": list(range(wish["count"]))}}
