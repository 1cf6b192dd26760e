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
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from waiting import handled, until

from explorer.executors.worker_pool import WorkerExecutor
from explorer.session.open_run import Request, default_store
from explorer.tui.app import ExplorerApp
from explorer.tui.config import load_config
from explorer.tui.keys import KEYS, key_name

NOW = datetime(2026, 11, 21, 7, 0, 0, tzinfo=UTC)
HOSTILE = "[/foo][@click=app.quit]x[/]\x1b[31m\x9b2J\u202e\n[b"
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


# ------------------------------------------------------------ the app


class ScriptedApp(ExplorerApp):
    """The app with that executor; `told` are its toasts."""

    def __init__(self, worker: ScriptedExecutor, request, config) -> None:
        super().__init__(request, config)
        self.worker = worker
        self.told: list[str] = []
        self.animation_level = "none"

    def _make_executor(self, spool: Path) -> WorkerExecutor:
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
            await handled(self.app)

    async def until(self, condition, what: str = "") -> None:
        """Returns once the condition holds; whatever runs meanwhile goes on."""
        said = what or getattr(condition, "__doc__", None) or "what was waited for"
        await until(condition, lambda: f"{said} did not come; on the screen:\n{self.text}")

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
