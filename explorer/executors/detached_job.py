"""A job whose worker was left running when its session ended: found, followed, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.contracts import spool as left
from explorer.executors.errors import JobFailedError

POLL_SECONDS = 0.2


class LeftJob:
    """The marker, events and result of one left job, as files of a spool folder."""

    def __init__(self, spool: Path, key: str) -> None:
        self.marker_path = left.marker_path(spool, key)
        self.events_path = left.events_path(spool, key)
        self.result_path = left.result_path(spool, key)
        self.marker = left.read_marker(self.marker_path)
        self._offset = 0
        self._detached = asyncio.Event()

    @staticmethod
    def find(spool: Path, key: str | None) -> LeftJob | None:
        """The job if it was left, whether it still runs or has ended since."""
        if key is None:
            return None
        job = LeftJob(spool, key)
        return job if job.marker is not None or job.events_path.exists() else None

    @property
    def alive(self) -> bool:
        """Whether its worker still runs."""
        return self.marker is not None and self.marker.alive

    async def follow(self, on_event: Callable[[Mapping[str, Any]], None]) -> dict[str, Any] | None:
        """The job's result once it has ended; None where its worker died without one.

        Tells of every epoch from the first on. Cancelling ends the job; JobFailedError tells of
        its failure, once.
        """
        caught_up = False
        try:
            while True:
                alive = self.alive  # asked first: what it writes before it ends is read below
                for event in _news(self._read(), everything=caught_up):
                    if event["event"] == "failed":
                        self.forget()
                        raise JobFailedError(event["kind"], event["message"])
                    on_event(event)
                caught_up = True
                if not alive:
                    return self._ended()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._detached.wait(), POLL_SECONDS)
                    raise asyncio.CancelledError("nobody waits for this job any more")
        except asyncio.CancelledError:
            self.end()
            raise

    def detach(self) -> None:
        """Leaves the job running again: whoever follows it is cancelled, the job is not."""
        self._detached.set()

    def end(self) -> None:
        """Ends the worker and forgets the job; whoever follows it is cancelled."""
        if not self._detached.is_set():
            self.signal(signal.SIGKILL)
            self.forget()
            self._detached.set()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the worker and everything it started, if it still runs."""
        if self.marker is not None and self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.marker.pid, number)

    def forget(self) -> None:
        """Removes the traces of leaving; a result stays until it is stored."""
        self.marker_path.unlink(missing_ok=True)
        self.events_path.unlink(missing_ok=True)

    def _read(self) -> list[dict[str, Any]]:
        """The events that were written since the last time, whole lines only."""
        try:
            with open(self.events_path, "rb") as file:
                file.seek(self._offset)
                text, end, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._offset += len(text) + len(end)
        return [json.loads(line) for line in text.splitlines()]

    def _ended(self) -> dict[str, Any] | None:
        try:
            result: dict[str, Any] | None = json.loads(self.result_path.read_text())
        except (OSError, ValueError):
            result = None
        self.forget()
        return result


def _news(events: list[dict[str, Any]], *, everything: bool) -> list[dict[str, Any]]:
    """All events, or of those of a time when nobody listened what still tells something."""
    if everything:
        return events
    newest = max((i for i, e in enumerate(events) if e["event"] == "progress"), default=None)
    return [e for i, e in enumerate(events) if e["event"] != "progress" or i == newest]
