"""How long work tells of its progress and learns that it must stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from engine.contracts.errors import Cancelled
from engine.runtime.device import memory_bytes

Emit = Callable[[Mapping[str, Any]], None]
SHORTEST_INTERVAL = 0.1  # seconds between two progress events of one phase
MEMORY_INTERVAL = 1.0  # seconds between two looks at the memory


class Monitor:
    """Passes progress on, at most ten times a second, and raises Cancelled once told to stop."""

    def __init__(self, emit: Emit | None = None, stop: threading.Event | None = None) -> None:
        self._emit = emit
        self._stop = stop
        self._phase = ""
        self._started = self._last = 0.0
        self._memory_bytes: int | None = None
        self._memory_read = -MEMORY_INTERVAL

    def check(self) -> None:
        """Raises Cancelled if the work was asked to stop."""
        if self._stop is not None and self._stop.is_set():
            raise Cancelled

    def step(
        self,
        phase: str,
        done: int,
        total: int,
        lazily: Callable[[], Mapping[str, float]] | None = None,
        **figures: float,
    ) -> None:
        """Tells that `done` of `total` units of a phase are done. Raises Cancelled.

        `lazily` gives further figures; it is called only when they are told.
        """
        self.check()
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._started, self._last = phase, now, 0.0
        if self._emit is None or (now - self._last < SHORTEST_INTERVAL and done < total):
            return
        self._last = now
        elapsed = now - self._started
        event = {"event": "progress", "phase": phase, "done": done, "total": total, **figures}
        if lazily is not None:
            event.update(lazily())
        if done and elapsed > 0:
            event["eta_seconds"] = round(elapsed * (total - done) / done, 1)
        if now - self._memory_read >= MEMORY_INTERVAL:
            self._memory_bytes, self._memory_read = memory_bytes(), now
        if self._memory_bytes is not None:
            event["memory_bytes"] = self._memory_bytes
        self._emit(event)

    def tell(self, event: str, **fields: Any) -> None:
        """Passes one event on, unthrottled (an epoch's figures, a warning)."""
        if self._emit is not None:
            self._emit({"event": event, **fields})


SILENT = Monitor()
