"""The real app over a scripted executor: a tree whose figures depend on nothing but names.

Jobs are answered at once, or when the test lets them go; they fail as the test says. Clocks stand
still, so that the same play gives the same screen.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import explorer.tui.app
from engine.contracts.codec import encode
from engine.contracts.edits import Edit
from engine.contracts.events import (
    EngineEvent,
    EngineListener,
    EpochEnded,
    Progress,
    WorkerStarted,
)
from engine.contracts.jobs import Epoch, JobRequest, Opened, Proposed, Recovered, Result, Tuned
from engine.contracts.networks import (
    Architecture,
    DataDescription,
    Environment,
    Scores,
    SnapshotRef,
)
from engine.contracts.requests import EditRequest, RemoveBlocks
from engine.contracts.spool import result_path, snapshot_path
from explorer.session.open_run import Request, default_store
from explorer.tui.app import ExplorerApp
from explorer.tui.config import load_config
from explorer.tui.keys import KEYS, key_name

NOW = datetime(2026, 11, 21, 7, 0, 0, tzinfo=UTC)
HOSTILE = "[/foo][@click=app.quit]x[/]\x1b[31m\x9b2J\u202e\n[b"
DEADLINE_SECONDS = 20
ARGUMENTS = {
    "stem_width": 16,
    "stage_widths": [16, 32, 64],
    "inner_widths": [[16] * 9, [32] * 9, [64] * 9],
    "shortcut": "A",
    "conv_bias": False,
    "num_classes": 10,
    "in_channels": 3,
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
        self.jobs: dict[str, JobRequest] = {}  # the last one of each
        self.running: dict[str, asyncio.Event] = {}  # what is under way, to be let go
        self.ended = ""  # how the app parted: "detached" or "closed"
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
            del self.running[label]
        if request.key is not None:  # as the engine does: finished work outlives its session
            result_path(self.spool, request.key).write_text(json.dumps(encode(result)))
        return result

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
            data=DataDescription(
                name=request.places.data or "cifar10", digest="0" * 64, mean=(0.5,), std=(0.2,),
                classes=tuple(str(number) for number in range(10)),
            ),
            data_name=named,
            environment=Environment("cpu", 1, None),
            notes=(),
            metrics={"val_accuracy": 93.2, "val_loss": 0.31, "test_accuracy": 92.9,
                     "macs": ROOT_MACS, "params": ROOT_PARAMS, "latency_ms": 4.0},
            seconds=2.5,
        )  # fmt: skip

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
        for path, indices in edit.filters:
            left[path.removesuffix(".conv1")] -= len(indices)
    return left


def _layer(scores: Scores, left: Mapping[str, int]) -> Edit:
    removable = [path for path in left if path not in ("layer2.0", "layer3.0")]
    return Edit("layer", blocks=(min(removable, key=scores.blocks.__getitem__),))


def _filters(left: Mapping[str, int], count: int) -> Edit:
    each = tuple(range(count))
    return Edit("filter", filters=tuple((f"{path}.conv1", each) for path in list(left)[:8]))


def _requested(request: EditRequest, left: Mapping[str, int]) -> Edit:
    if isinstance(request, RemoveBlocks):
        return Edit("layer", blocks=request.blocks)
    path = next(iter(left))
    return Edit("filter", filters=((f"{path}.conv1", tuple(range(request.count))),))


# ------------------------------------------------------------ the app


class ScriptedApp(ExplorerApp):
    """The app with that executor; `told` are its toasts."""

    CSS_PATH = Path(explorer.tui.app.__file__).with_name("app.tcss")

    def __init__(self, worker: ScriptedExecutor, request, config) -> None:
        super().__init__(request, config)
        self.worker = worker
        self.told: list[str] = []
        self.animation_level = "none"

    def _make_executor(self, spool: Path) -> ScriptedExecutor:
        self.worker.spool = spool
        self.executor = self.worker
        return self.worker

    def notify(self, message, **options) -> None:
        self.told.append(message)
        super().notify(message, **options)


PRESSED: set[str] = set()  # keys by their long names


class Seat:
    """A person at the app: what they press and see, and the store behind it."""

    def __init__(self, pilot, app: ScriptedApp, worker: ScriptedExecutor) -> None:
        self.pilot, self.app, self.worker = pilot, app, worker

    # -------------------------------------------------------- keys and waiting

    async def press(self, *keys: str) -> None:
        names = ["space" if key == " " else key_name(key) for key in keys]
        PRESSED.update(names)
        for name in names:
            await self.pilot.press(name)
            await self.pilot._wait_for_screen()  # also for the messages that the key led to

    async def until(self, condition, what: str = "") -> None:
        """Returns once the condition holds; whatever runs meanwhile goes on."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            said = what or getattr(condition, "__doc__", None) or "what was waited for"
            assert time.monotonic() < deadline, f"{said} did not come; on the screen:\n{self.text}"
            await asyncio.sleep(0.005)

    async def sees(self, *texts: str) -> None:
        """Waits until these are on the screen."""
        for text in texts:
            await self.until(lambda text=text: text in self.text, repr(text))

    async def told(self, part: str) -> None:
        """Waits for a toast that holds this."""
        await self.until(lambda: any(part in t for t in self.app.told), f"a toast {part!r}")

    async def dialog(self, kind: type):
        """The dialog of this type, once it is in front and laid out."""
        await self.until(lambda: isinstance(self.app.screen, kind), kind.__name__)
        await self.pilot.pause()
        return self.app.screen

    async def main(self) -> None:
        """Waits until no dialog is in front."""
        await self.until(lambda: len(self.app.screen_stack) == 1, "the main screen")
        await self.pilot.pause()

    async def at(self, name: str) -> None:
        """Waits until the app stands at a node and shows it."""
        await self.until(lambda: self.app.selected == name, f"the selection of {name}")
        await self.pilot.pause()

    async def select(self, name: str) -> None:
        """Selects a node once it is on the screen."""
        await self.until(lambda: name in self.app.shown, name)
        self.app.select(name)
        await self.at(name)

    async def idle(self) -> None:
        """Waits until all work is done and painted."""
        await self.until(lambda: self.app.steering is not None, "an open tree")
        await self.until(lambda: not self.app.steering.busy, "the end of the work")
        self.app.paint()
        await self.pilot.pause()

    # -------------------------------------------------------- what there is

    @property
    def lines(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def store(self):
        return self.app.session.store

    def node(self, name: str):
        return self.app.session.node(name)

    def nodes(self) -> dict:
        return {n.name: n for n in self.store.nodes(self.app.session.run.id)}

    def kept(self) -> set[str]:
        return {name for name, node in self.nodes().items() if node.kept and node.depth}

    def ready(self) -> set[str]:
        return {name for name, node in self.nodes().items() if node.state == "ready"}

    def actors(self) -> list[str]:
        return [d.actor for d in self.store.decisions(self.app.session.run.id)]


async def _a_moment(*_) -> None:
    """In place of Textual's wait until the process does little, which may take a second a key."""
    await asyncio.sleep(0.001)


def own_world(folder: Path) -> ExitStack:
    """Clocks that stand still, a state and a configuration of its own."""
    clock = SimpleNamespace(now=lambda zone=None: NOW)
    own = {
        "PE_EXPLORE_STATE": str(folder / "state.json"),
        "PE_EXPLORE_CONFIG": str(folder / "config.toml"),
        "TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC",
    }  # fmt: skip
    stack = ExitStack()
    stack.enter_context(mock.patch.dict(os.environ, own))
    os.environ.pop("NO_COLOR", None)  # even an empty one takes colours away
    stack.enter_context(mock.patch("store.tables.snapshots.datetime", clock))
    stack.enter_context(
        mock.patch("explorer.views.live_run.time", SimpleNamespace(time=NOW.timestamp))
    )
    stack.enter_context(mock.patch("explorer.tui.lifecycle.PAINT_SECONDS", 0.03))
    stack.enter_context(mock.patch("textual.app.wait_for_idle", _a_moment))
    stack.enter_context(mock.patch("textual.pilot.wait_for_idle", _a_moment))
    stack.enter_context(mock.patch("explorer.tui.actions.replay.PLAY_SECONDS", 0.1))
    time.tzset()
    stack.callback(time.tzset)
    return stack


def checkpoint(folder: Path) -> Path:
    """A file to open; only the scripted executor makes sense of it."""
    path = folder / "resnet56.pt"
    path.write_bytes(b"a checkpoint")
    return path


def explore(folder, play, *, model="", size=(120, 36), overrides=None, figures=None, environ=None,
            script=lambda worker: None):  # fmt: skip
    """Runs `play(seat)` at the app that opened `model` (a checkpoint where none is named; None:
    nothing). `script(worker)` may prepare what the jobs do."""

    async def run():
        worker = ScriptedExecutor(figures)
        script(worker)
        request = None
        if model is not None:
            named = str(model or checkpoint(folder))
            settings = {"data": "cifar10", **(overrides or {})}
            request = Request(named, overrides={} if named.endswith(".db") else settings)
        app = ScriptedApp(worker, request, load_config())
        try:
            async with app.run_test(size=size, notifications=True) as pilot:
                await play(Seat(pilot, app, worker))
        finally:
            await app.release()
        return app

    with own_world(folder), mock.patch.dict(os.environ, environ or {}):
        return asyncio.run(run())


def grown(folder: Path, steer=None, *, figures=None, overrides=None) -> Path:
    """A store with both candidates of the root measured; `steer(steering)` may decide further."""
    store = default_store(str(checkpoint(folder)))
    key = (tuple(steer or ()), repr((figures, overrides)))
    if key not in _GROWN:
        _GROWN[key] = _grow(folder, steer, figures, overrides).read_bytes()
    store.write_bytes(_GROWN[key])
    return store


_GROWN: dict[tuple, bytes] = {}  # stores that were grown already, by the steps and the figures


def _grow(folder: Path, steer, figures, overrides) -> Path:
    from explorer.session.open_run import open_session
    from explorer.session.steering import Steering

    async def run():
        worker = ScriptedExecutor(figures)
        model = str(checkpoint(folder))

        def make(spool):
            worker.spool = spool
            return worker

        request = Request(model, overrides={"data": "cifar10", **(overrides or {})})
        session = await open_session(request, make, lambda event: None)
        steering = Steering(session)
        try:
            steering.resume()
            await steering.idle()
            if steer is not None:
                for step in steer:
                    step(steering)
                    await steering.idle()
        finally:
            await steering.stop()
            session.store.close()
        return default_store(model)

    with own_world(folder):
        return asyncio.run(run())


# ------------------------------------------------------------ which keys are tested

_BY_KEY_ID = {key.id: key for key in KEYS}
COVERED: set[str] = set()


def covers(*ids: str):
    """Marks a test as the one of these keys, and makes sure that it presses them."""

    def decorate(test):
        COVERED.update(ids)

        @functools.wraps(test)
        def wrapper(*args, **kwargs):
            PRESSED.clear()
            test(*args, **kwargs)
            for id in ids:
                key = _BY_KEY_ID[id]
                assert PRESSED & set(key.names), f"{test.__name__} never presses {key.keys} ({id})"

        return wrapper

    return decorate
