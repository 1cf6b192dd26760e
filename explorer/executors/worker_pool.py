"""Jobs in worker processes: on one machine the default."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.contracts.events import EngineListener
from engine.contracts.jobs import JobRequest, Result
from explorer.executors.detached_job import DetachedJob
from explorer.executors.slots import Slots
from explorer.executors.worker_process import WorkerProcess

NUM_SLOTS = 2  # both candidates of a parent; a job that needs the whole machine takes both


class WorkerPool:
    """Runs jobs in worker processes, as many at a time as there are slots.

    A job takes all slots, or as many as it asks for. Workers start with the first job and are
    replaced when they die. A job that an earlier session detached is not run again but followed.
    """

    can_pause = True

    def __init__(self, spool: Path, *, num_slots: int = 1, log: Path | None = None) -> None:
        self.spool = spool
        self.log = log
        self._slots = Slots(num_slots)
        self._all = [WorkerProcess(spool, log) for _ in range(num_slots)]
        self._idle = list(self._all)  # the last one first: it holds the data of its last job
        self._followed: set[DetachedJob] = set()
        self._paused = self._closed = False

    async def run(self, request: JobRequest, on_event: EngineListener) -> Result:
        if self._closed:
            raise asyncio.CancelledError("no job starts any more")
        detached = DetachedJob.find(self.spool, request.key)
        if detached is not None and (result := await self._follow(detached, on_event)) is not None:
            return result
        async with self._worker(request.slots or self._slots.size) as process:
            return await process.run(request, on_event)

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def detachable(self) -> int:
        return sum(process.can_detach for process in self._all) + len(self._followed)

    def pause(self) -> None:
        self._paused = True
        for process in self._all:
            process.pause()
        for detached in self._followed:
            detached.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._paused = False
        for process in self._all:
            process.resume()
        for detached in self._followed:
            detached.signal(signal.SIGCONT)

    async def detach(self) -> int:
        self._closed = True
        self.resume()
        count = sum(await asyncio.gather(*(process.detach() for process in self._all)))
        for detached in self._followed:
            detached.let_go()
        return count + len(self._followed)

    async def close(self) -> None:
        self._closed = True
        for detached in self._followed:
            detached.end()
        for process in self._all:
            await process.kill()

    @asynccontextmanager
    async def _worker(self, slots: int) -> AsyncIterator[WorkerProcess]:
        """A worker that is free, waited for."""
        async with self._slots.taken(slots):
            if self._closed:
                raise asyncio.CancelledError("no job starts any more")
            process = self._idle.pop()
            try:
                yield process
            finally:
                self._idle.append(process)

    async def _follow(self, detached: DetachedJob, on_event: EngineListener) -> Result | None:
        # It has its device to itself where that is free; it does not wait for it.
        slots = self._slots.take_now(self._slots.size)
        self._followed.add(detached)
        detached.signal(signal.SIGSTOP if self._paused else signal.SIGCONT)
        try:
            return await detached.follow(on_event)
        finally:
            self._followed.discard(detached)
            self._slots.give_back(slots)
