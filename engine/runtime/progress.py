"""How long work tells of its progress and learns that it must stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.contracts.errors import Cancelled
from engine.contracts.events import EngineEvent, EngineListener, Noted, Progress
from engine.runtime.device import memory_bytes

SHORTEST_INTERVAL = 0.1  # seconds between two progress events of one phase
MEMORY_INTERVAL = 1.0  # seconds between two looks at the memory


@dataclass(frozen=True)
class Running:
    """A training's figures in the middle of an epoch, as Progress tells them."""

    epoch: int
    last_epoch: int
    epoch_share: float
    loss: float
    accuracy: float
    images_per_second: float
    row: str = "image"


class Monitor:
    """Passes progress on, at most ten times a second, and raises Cancelled once told to stop."""

    def __init__(
        self, emit: EngineListener | None = None, stop: threading.Event | None = None
    ) -> None:
        self._emit = emit
        self._stop = stop
        self._phase, self._done = "", 0
        self._started = self._last = 0.0
        self._memory_bytes: int | None = None
        self._memory_read = -MEMORY_INTERVAL

    def check(self) -> None:
        """Raises Cancelled if the work was asked to stop."""
        if self._stop is not None and self._stop.is_set():
            raise Cancelled

    def step(
        self, phase: str, done: int, total: int, running: Callable[[], Running] | None = None
    ) -> None:
        """Tells that `done` of `total` units of a phase are done. Raises Cancelled.

        `running` gives a training's figures; it is called only when they are told.
        """
        self.check()
        now = time.monotonic()
        if phase != self._phase or done < self._done:  # another piece of work
            self._phase, self._started, self._last = phase, now, 0.0
        self._done = done
        if self._emit is None or (now - self._last < SHORTEST_INTERVAL and done < total):
            return
        self._last = now
        elapsed = now - self._started
        figures = vars(running()) if running is not None else {}
        eta = round(elapsed * (total - done) / done, 1) if done and elapsed > 0 else None
        if now - self._memory_read >= MEMORY_INTERVAL:
            self._memory_bytes, self._memory_read = memory_bytes(), now
        self._emit(
            Progress(
                phase, done, total, eta_seconds=eta, memory_bytes=self._memory_bytes, **figures
            )
        )

    def tell(self, event: EngineEvent) -> None:
        """Passes one event on, unthrottled (an epoch's figures, a warning)."""
        if self._emit is not None:
            self._emit(event)

    def note(self, text: str) -> None:
        """Tells a person something in words."""
        self.tell(Noted(text))


class PartMonitor(Monitor):
    """Tells the steps of a part as steps of the whole, of which `before` units were done before."""

    def __init__(self, whole: Monitor, before: int, total: int) -> None:
        super().__init__()
        self._whole, self._before, self._total = whole, before, total

    def check(self) -> None:
        self._whole.check()

    def step(
        self, phase: str, done: int, total: int, running: Callable[[], Running] | None = None
    ) -> None:
        self._whole.step(phase, self._before + done, self._total, running)

    def tell(self, event: EngineEvent) -> None:
        self._whole.tell(event)


SILENT = Monitor()
