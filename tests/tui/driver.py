"""The real app over the scripted executor, driven and read as a person would.

Clocks stand still, so that the same play gives the same screen.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from scripted import ScriptedExecutor
from waiting import handled, until

from explorer.session.named_files import default_store
from explorer.session.open_run import Request
from explorer.tui.app import ExplorerApp
from explorer.tui.config import load_config
from explorer.tui.keys import KEYS, key_name

NOW = datetime(2026, 11, 21, 7, 0, 0, tzinfo=UTC)
HOSTILE = "[/foo][@click=app.quit]x[/]\x1b[31m\x9b2J\u202e\n[b"


class ScriptedApp(ExplorerApp):
    """The app with that executor; `told` are its toasts."""

    def __init__(self, worker: ScriptedExecutor, request, config, *, plans: bool = False) -> None:
        super().__init__(
            request, config, make_executor=self._scripted, go_on=self._go_on, plans=plans
        )
        self.worker = worker
        self.handed_on: list[Path] = []  # stores whose work went on in the background
        self.handed_on_options: list[list[str]] = []
        self.told: list[str] = []
        self.animation_level = "none"

    def _scripted(self, spool: Path) -> ScriptedExecutor:
        self.worker.spool = spool
        return self.worker

    def _go_on(self, store: Path, spool: Path, options) -> int:
        self.handed_on.append(store)
        self.handed_on_options.append(list(options))
        return 4321

    def notify(self, message, **options) -> None:
        self.told.append(message)
        super().notify(message, **options)


PRESSED: set[str] = set()  # keys by their long names


class Seat:
    """A person at the app: what they press and see, and the store behind it."""

    def __init__(self, pilot, app: ScriptedApp, worker: ScriptedExecutor) -> None:
        self.pilot, self.app, self.worker = pilot, app, worker
        self.state, self.screen = app.state, app.main

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
        await self.until(lambda: self.state.selected == name, f"the selection of {name}")
        await self.pilot.pause()

    async def select(self, name: str) -> None:
        """Selects a node once it is on the screen."""
        await self.until(lambda: name in self.state.shown, name)
        self.screen.select(name)
        await self.at(name)

    async def idle(self) -> None:
        """Waits until all work is done and painted."""
        await self.until(lambda: self.state.steering is not None, "an open tree")
        await self.until(lambda: not self.state.steering.busy, "the end of the work")
        self.screen.paint()
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
        return self.state.session.store

    def node(self, name: str):
        return self.state.session.node(name)

    def nodes(self) -> dict:
        return {n.name: n for n in self.store.nodes(self.state.session.run.id)}

    def kept(self) -> set[str]:
        return {name for name, node in self.nodes().items() if node.kept and node.depth}

    def ready(self) -> set[str]:
        return {name for name, node in self.nodes().items() if node.state == "ready"}

    def actors(self) -> list[str]:
        return [d.actor for d in self.store.decisions(self.state.session.run.id)]


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
    stack.enter_context(mock.patch("store.sqlite.clock.datetime", clock))
    stack.enter_context(
        mock.patch("explorer.views.live_run.time", SimpleNamespace(time=NOW.timestamp))
    )
    stack.enter_context(mock.patch("explorer.tui.main_screen.PAINT_SECONDS", 0.03))
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
            script=lambda worker: None, make_worker=ScriptedExecutor, plans=False,
            zoom=1, request=None):  # fmt: skip
    """Runs `play(seat)` at the app that opened `model` (a checkpoint where none is named; None:
    nothing). `script(worker)` may prepare what the jobs do; `plans`: a new run's plan is shown.
    `request` takes the place of what opening the model means.
    The tree is drawn as chips, whatever room there is, unless `zoom` or the configuration says
    otherwise."""

    async def run():
        worker = make_worker(figures)
        script(worker)
        asked = request
        if model is not None and request is None:
            named = str(model or checkpoint(folder))
            settings = {"data": "cifar10", **(overrides or {})}
            asked = Request(named, overrides={} if named.endswith(".db") else settings)
        config = load_config()
        config = config if config.zoom is not None else replace(config, zoom=zoom)
        app = ScriptedApp(worker, asked, config, plans=plans)
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


def approved(steering):
    """A step of `grown`: what is suggested at the tip is kept."""
    steering.approve(steering.tip())


def start(folder: Path, play, *steps, **options):
    """Opens a tree whose candidates are measured; `steps` decided before."""
    figures = options.get("figures")

    async def begin(seat: Seat):
        await seat.idle()
        await play(seat)

    return explore(folder, begin, model=grown(folder, steps, figures=figures), **options)


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
