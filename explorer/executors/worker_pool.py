"""Where jobs run: in worker processes, one a device, or in this process (tests)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.contracts.events import Event as Event
from engine.contracts.events import Listener
from explorer.executors.detached_job import LeftJob
from explorer.executors.errors import JobFailedError as JobFailedError
from explorer.executors.errors import WorkerDiedError as WorkerDiedError
from explorer.executors.errors import WorkerStartError as WorkerStartError
from explorer.executors.slots import Room
from explorer.executors.worker_process import WorkerProcess

NUM_SLOTS = 2  # both candidates of a parent; a job that needs the whole machine takes both


class WorkerExecutor:
    """Runs jobs in worker processes, as many at a time as there are slots.

    A job takes all slots, or as many as its "slots" says. Workers start with the first job (or
    `warm_up`) and are replaced when they die. A job that an earlier session left running is not
    run again but followed.
    """

    def __init__(self, spool: Path, *, num_slots: int = 1, log: Path | None = None) -> None:
        self.spool = spool
        self.log = log
        self._room = Room(num_slots)
        self._all = [WorkerProcess(spool, log) for _ in range(num_slots)]
        self._idle = list(self._all)  # the last one first: it holds the data of its last job
        self._followed: set[LeftJob] = set()
        self._paused = self._closed = False

    async def warm_up(self) -> None:
        """Starts a worker before its first job, to hide the seconds that importing takes."""
        async with self._worker(1) as process:
            await process.ensure_started()

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        if self._closed:
            raise asyncio.CancelledError("no job starts any more")
        left = LeftJob.find(self.spool, job.get("key"))
        if left is not None and (result := await self._follow(left, on_event)) is not None:
            return result
        async with self._worker(job.get("slots", self._room.size)) as process:
            return await process.run(job, on_event)

    @property
    def paused(self) -> bool:
        return self._paused

    def pause(self) -> None:
        self._paused = True
        for process in self._all:
            process.pause()
        for left in self._followed:
            left.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._paused = False
        for process in self._all:
            process.resume()
        for left in self._followed:
            left.signal(signal.SIGCONT)

    async def leave(self) -> int:
        self._closed = True
        self.resume()
        num_left = sum(await asyncio.gather(*(process.leave() for process in self._all)))
        for left in self._followed:
            left.detach()
        return num_left + len(self._followed)

    async def close(self) -> None:
        self._closed = True
        for left in self._followed:
            left.end()
        for process in self._all:
            await process.kill()

    @asynccontextmanager
    async def _worker(self, slots: int) -> AsyncIterator[WorkerProcess]:
        """A worker that is free, waited for."""
        async with self._room.taken(slots):
            if self._closed:
                raise asyncio.CancelledError("no job starts any more")
            process = self._idle.pop()
            try:
                yield process
            finally:
                self._idle.append(process)

    async def _follow(self, left: LeftJob, on_event: Listener) -> dict[str, Any] | None:
        # It has its device to itself where that is free; it does not wait for it.
        slots = self._room.take_now(self._room.size)
        self._followed.add(left)
        left.signal(signal.SIGSTOP if self._paused else signal.SIGCONT)
        try:
            if left.marker is not None and left.alive:
                on_event({"event": "attached", "pid": left.marker.pid})
            return await left.follow(on_event)
        finally:
            self._followed.discard(left)
            self._room.leave(slots)
