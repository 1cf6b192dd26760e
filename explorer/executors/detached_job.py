"""A job whose worker was detached when its session ended: found, followed, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

from engine.contracts import marker as markers
from engine.contracts import spool as spool_files
from engine.contracts.events import EngineListener, Progress
from engine.contracts.jobs import Result
from engine.contracts.messages import MESSAGES, Failed, Message, Told
from engine.contracts.working_folder import reading, remove_file
from explorer.executors.errors import JobFailedError
from explorer.executors.worker_signals import signal_group

POLL_SECONDS = 0.2


class DetachedJob:
    """The marker, messages and result of one detached job, as files of a spool folder."""

    def __init__(self, spool: Path, key: str) -> None:
        self.spool = spool
        self.marker_path = spool_files.marker_path(spool, key)
        self.events_path = spool_files.events_path(spool, key)
        self.result_path = spool_files.result_path(spool, key)
        self.marker = markers.read_marker(self.marker_path)
        self._offset = 0
        self._let_go = asyncio.Event()

    @staticmethod
    def find(spool: Path, key: str | None) -> DetachedJob | None:
        """The job if it was detached, whether it still runs or has ended since."""
        if key is None:
            return None
        job = DetachedJob(spool, key)
        return job if job.marker is not None or os.path.lexists(job.events_path) else None

    @property
    def alive(self) -> bool:
        """Whether its worker still runs."""
        return self.marker is not None and self.marker.works_for(self.spool)

    async def follow(self, on_event: EngineListener) -> Result | None:
        """The job's result once it has ended; None where its worker died without one.

        Tells of every epoch from the first on. Cancelling ends the job; JobFailedError tells of
        its failure, once.
        """
        caught_up = False
        try:
            while True:
                alive = self.alive  # asked first: what it writes before it ends is read below
                for message in _news(self._read(), everything=caught_up):
                    if isinstance(message, Failed):
                        self.forget()
                        raise JobFailedError(message.error, message.message)
                    if isinstance(message, Told):
                        on_event(message.event)
                caught_up = True
                if not alive:
                    return self._ended()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._let_go.wait(), POLL_SECONDS)
                    raise asyncio.CancelledError("nobody waits for this job any more")
        except asyncio.CancelledError:
            self.end()
            raise

    def let_go(self) -> None:
        """Leaves the job running again: whoever follows it is cancelled, the job is not."""
        self._let_go.set()

    def end(self) -> None:
        """Ends the worker and forgets the job; whoever follows it is cancelled."""
        if not self._let_go.is_set():
            self.signal(signal.SIGKILL)
            self.forget()
            self._let_go.set()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the worker and everything it started, if it still runs."""
        if self.marker is not None:
            signal_group(self.marker, self.spool, number)

    def forget(self) -> None:
        """Removes the traces of detaching; a result stays until it is stored."""
        remove_file(self.marker_path)
        remove_file(self.events_path)

    def _read(self) -> list[Message]:
        """The messages that were written since the last time, whole lines only."""
        try:
            with reading(self.events_path) as file:
                file.seek(self._offset)
                text, end, _ = file.read().rpartition(b"\n")
        except OSError:  # not there yet, or none of ours
            return []
        self._offset += len(text) + len(end)
        return [message for line in text.splitlines() if (message := _message(line)) is not None]

    def _ended(self) -> Result | None:
        result = spool_files.read_result(self.result_path)
        self.forget()
        return result


def _message(line: bytes) -> Message | None:
    """A line's message; None for one of another version, which says nothing here."""
    try:
        return MESSAGES.decode(json.loads(line))
    except (ValueError, RecursionError):  # FormatError is a ValueError
        return None


def _news(messages: list[Message], *, everything: bool) -> list[Message]:
    """All messages, or of those of a time when nobody listened what still tells something."""
    if everything:
        return messages
    steps = [i for i, message in enumerate(messages) if _is_step(message)]
    passed = set(steps[:-1])
    return [message for i, message in enumerate(messages) if i not in passed]


def _is_step(message: Message) -> bool:
    return isinstance(message, Told) and isinstance(message.event, Progress)
