"""An executor that follows a script: a tree whose figures depend on nothing but names.

Jobs are answered at once, or when the test lets them go; they fail as the test says.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.contracts.codec import encode
from engine.contracts.doubts import Doubt
from engine.contracts.edits import Edit
from engine.contracts.events import (
    EngineEvent,
    EngineListener,
    EpochEnded,
    Progress,
    WorkerStarted,
)
from engine.contracts.jobs import (
    DataDescribed,
    Epoch,
    JobRequest,
    Opened,
    Proposed,
    Recovered,
    Result,
    Tuned,
)
from engine.contracts.networks import (
    Architecture,
    DataDescription,
    Environment,
    Scores,
    SnapshotRef,
)
from engine.contracts.preview import Preview, Previewed
from engine.contracts.requests import EditRequest, RemoveBlocks
from engine.contracts.spool import result_path, snapshot_path
from explorer.executors.errors import JobFailedError

ARGUMENTS = {
    "stem_width": 16,
    "stage_widths": [16, 32, 64],
    "inner_widths": [[16] * 9, [32] * 9, [64] * 9],
    "shortcut": "A",
    "conv_bias": False,
    "num_classes": 10,
    "in_channels": 3,
}
DIGEST = "0" * 64  # of the images
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

    can_pause = True

    def __init__(self, figures: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self.spool = Path()
        self.figures = {**FIGURES, **(figures or {})}
        self.asked: list[str] = []  # "recover R.L", in the order they were run
        self.jobs: dict[str, JobRequest] = {}  # the last one of each
        self.running: dict[str, asyncio.Event] = {}  # what is under way, to be let go
        self.ended = ""  # how the app parted: "detached" or "closed"
        self.paused = False
        self.doubts: tuple[Doubt, ...] = ()  # about the root
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

    def tell(self, job: str, event: EngineEvent) -> None:
        """An event of a job that is under way."""
        self._listeners[job](event)

    def progress(self, job: str, share: float, **more) -> None:
        """The job is so far: a share of all, in epochs of a recovery of three."""
        epoch, name = share * self.epochs, job.split(" ")[1]
        figures = _trained_at(name, epoch - 1)
        told = Progress(
            "recovery", round(share * 1000), 1000, epoch=int(epoch) + 1,
            last_epoch=self.epochs, epoch_share=round(epoch % 1, 4), images_per_second=1240.0,
            eta_seconds=round(100 * (1 - share), 1), memory_bytes=900_000_000, **figures,
        )  # fmt: skip
        self.tell(job, replace(told, **more))

    def _is_held(self, name: str) -> bool:
        return name in self._held or name.split(" ")[0] in self._held

    # ------------------------------------------------------------ the protocol

    async def run(self, request: JobRequest, on_event: EngineListener) -> Result:
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            if (turn := self._queued.get(request.label)) is not None:
                await turn.wait()
            return await self._run(request, on_event)
        finally:
            self._waiting.discard(task)

    async def _run(self, request: JobRequest, on_event: EngineListener) -> Result:
        label = request.label
        if not isinstance(request.job, Preview):  # a look, at which nothing is made
            self.asked.append(label)
        self.jobs[label] = request
        self._listeners[label] = on_event
        released = self.running[label] = asyncio.Event()
        try:
            on_event(WorkerStarted(1))
            if self._is_held(label):
                await released.wait()
            await self._going.wait()
            if errors := self._errors.get(label):
                raise errors.pop(0)
            kind, _, node = label.partition(" ")
            result = getattr(self, f"_{kind}")(node, request, on_event)
        finally:
            self.running.pop(label, None)  # another of that name may have ended
        if request.key is not None:  # as the engine does: finished work outlives its session
            result_path(self.spool, request.key).write_text(json.dumps(encode(result)))
        return result

    @property
    def detachable(self) -> int:
        return len(self.running)

    def pause(self) -> None:
        self.paused = True
        self._going.clear()

    def resume(self) -> None:
        self.paused = False
        self._going.set()

    async def detach(self) -> int:
        count = len(self.running)
        self.ended = "detached"
        self._cancel_all()
        return count

    async def close(self) -> None:
        self.ended = self.ended or "closed"
        self._cancel_all()

    def _cancel_all(self) -> None:
        for task in list(self._waiting):
            task.cancel()

    # ------------------------------------------------------------ results

    def _snapshot(self, name: str) -> SnapshotRef:
        content = f"weights of {name}".encode()
        sha256 = hashlib.sha256(content).hexdigest()
        self.spool.mkdir(parents=True, exist_ok=True)
        snapshot_path(self.spool, sha256).write_bytes(content)
        return SnapshotRef(sha256)

    def _open(self, node: str, request: JobRequest, on_event: EngineListener) -> Opened:
        named = None if request.places.data else "cifar10"
        return Opened(
            architecture=Architecture("cifar_resnet", ARGUMENTS),
            snapshot=self._snapshot("R"),
            data=_described(request.places.data or "cifar10"),
            data_name=named,
            environment=Environment("cpu", 1, None),
            notes=(),
            metrics={"val_accuracy": 93.2, "val_loss": 0.31, "test_accuracy": 92.9,
                     "macs": ROOT_MACS, "params": ROOT_PARAMS, "latency_ms": 4.0},
            seconds=2.5,
            doubts=self.doubts,
        )  # fmt: skip

    def _data(self, node: str, request: JobRequest, on_event: EngineListener) -> DataDescribed:
        """What lies at a place: a file's content is its digest here."""
        try:
            digest = Path(request.places.data).read_text()
        except OSError:
            raise JobFailedError("data", f"no data set is called {request.places.data!r}") from None
        return DataDescribed(replace(_described("there"), digest=digest))

    def _propose(self, node: str, request: JobRequest, on_event: EngineListener) -> Proposed:
        job = request.job
        left = _left(job.parent.architecture.edits)
        scores = Scores(
            {path: round(0.001 + noise(node, path) ** 3, 6) for path in left},
            {
                f"{path}.conv1": tuple(round(noise(path, str(i)) / 50, 6) for i in range(width))
                for path, width in left.items()
            },
        )
        edits = (_layer(scores, left), _filters(left, 2))
        if job.request is not None:
            edits = (_requested(job.request, left),)
        on_event(Progress("scoring", 1, 1))
        return Proposed(job.scoring.criterion, scores, edits, request=job.request, seconds=4.0)

    def _preview(self, node: str, request: JobRequest, on_event: EngineListener) -> Previewed:
        """A twentieth goes with a block, a thousandth with each filter."""
        asked = request.job.request
        share = 0.95 if isinstance(asked, RemoveBlocks) else 1 - 0.001 * (asked.count or 0)
        costs = (ROOT_MACS, ROOT_PARAMS, 4 * ROOT_PARAMS)
        return Previewed(*(int(share * cost) for cost in costs), *costs, 256, 90 * share, 93.0)

    def _recover(self, node: str, request: JobRequest, on_event: EngineListener) -> Recovered:
        steps = node.split(".")[1:]
        share = 1 - sum(0.0375 if step[0] == "L" else 0.043 for step in steps)
        metrics = {
            "similarity": round(0.95 + 0.04 * noise(node, "cka"), 4),
            "val_accuracy_before": round(80 + 10 * noise(node, "before"), 2),
            "val_accuracy": round(93.4 - len(steps) * 0.3 + noise(node, "acc"), 2),
            "val_loss": 0.34,
            "macs": int(ROOT_MACS * share),
            "params": int(ROOT_PARAMS * share),
            "latency_ms": round(4.0 * share, 3),
            "latency_ratio": round(share, 3),
            "latency_ratio_low": round(share - 0.01, 3),
            "latency_ratio_high": round(share + 0.015, 3),
            **self.figures.get(node, {}),
        }
        similarity, phase = metrics["similarity"], 7 * noise(node, "phase")
        return Recovered(
            snapshot=self._snapshot(f"{node} recovered"),
            epochs=self._trained(node, "recovered", 0, self.epochs, on_event),
            resamples=tuple(similarity + 0.002 * math.sin(1.7 * i + phase) for i in range(50)),
            metrics=metrics,
            seconds=60.0,
        )

    def _tune(self, node: str, request: JobRequest, on_event: EngineListener) -> Tuned:
        better = {"val_accuracy": round(93.1 + noise(node, "tuned") / 2, 2), "val_loss": 0.29,
                  "test_accuracy": round(92.6 + noise(node, "test") / 2, 2)}  # fmt: skip
        epochs = self._trained(node, "tuned", self.epochs, 2 * self.epochs, on_event)
        return Tuned(self._snapshot(f"{node} tuned"), epochs, better, 60.0)

    def _trained(
        self, node: str, phase: str, first: int, last: int, on_event: EngineListener
    ) -> tuple[Epoch, ...]:
        epochs = tuple(
            Epoch(epoch, **_trained_at(node, epoch), learning_rate=0.01, images_per_second=1240.0)
            for epoch in range(first, last)
        )
        for figures in epochs:
            on_event(EpochEnded(phase=phase, total_epochs=last, **vars(figures)))
        return epochs


def _described(name: str) -> DataDescription:
    classes = tuple(str(number) for number in range(10))
    return DataDescription(name=name, digest=DIGEST, mean=(0.5,), std=(0.2,), classes=classes)


def _trained_at(name: str, epoch: float) -> dict:
    """The figures of a node's training after an epoch, counted from 0."""
    return {
        "loss": round(0.9 / (epoch + 2) + noise(name, "loss") / 10, 4),
        "accuracy": round(86 + 1.2 * epoch + noise(name, "train"), 2),
    }


def _left(edits: Sequence[Edit]) -> dict[str, int]:
    """The blocks that are left and the filters of their first convolutions."""
    left = {f"layer{n + 1}.{i}": width for n, widths in enumerate(ARGUMENTS["inner_widths"])
            for i, width in enumerate(widths)}  # fmt: skip
    for edit in edits:
        for block in edit.blocks:
            del left[block]
        for path, indices in edit.units:
            left[path.removesuffix(".conv1")] -= len(indices)
    return left


def _layer(scores: Scores, left: Mapping[str, int]) -> Edit:
    removable = [path for path in left if path not in ("layer2.0", "layer3.0")]
    return Edit("layer", blocks=(min(removable, key=scores.blocks.__getitem__),))


def _filters(left: Mapping[str, int], count: int) -> Edit:
    each = tuple(range(count))
    return Edit("filter", units=tuple((f"{path}.conv1", each) for path in list(left)[:8]))


def _requested(request: EditRequest, left: Mapping[str, int]) -> Edit:
    if isinstance(request, RemoveBlocks):
        return Edit("layer", blocks=request.blocks)
    path = next(iter(left))
    return Edit("filter", units=((f"{path}.conv1", tuple(range(request.count))),))
