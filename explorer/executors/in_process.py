"""Jobs on a thread of this process: for tests, and to step through one under a debugger."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contracts.errors import Cancelled, UserError
from engine.contracts.events import EngineEvent, EngineListener
from engine.contracts.jobs import JobRequest, Result
from explorer.executors.errors import JobFailedError

if TYPE_CHECKING:
    from engine.worker.engine import Engine


class InProcessExecutor:
    """Runs jobs one at a time. They end with this process: none can be paused or detached.

    Listeners are called on the thread of the job.
    """

    can_pause = paused = False
    detachable = 0

    def __init__(self, spool: Path) -> None:
        from engine.worker.engine import Engine  # PyTorch: only for whoever works in this process

        self.engine: Engine = Engine(spool)
        self._lock = asyncio.Lock()
        self._closed = False
        self._stop = threading.Event()  # of the job under way

    async def run(self, request: JobRequest, on_event: EngineListener) -> Result:
        self._refuse_if_closed()
        async with self._lock:
            self._refuse_if_closed()
            stop = self._stop = threading.Event()
            work = asyncio.to_thread(self._run, request, on_event, stop)
            task = asyncio.ensure_future(work)
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                stop.set()
                await asyncio.wait([task])
                task.exception()  # seen: nobody is left to ask for it
                raise
            except Cancelled:
                raise asyncio.CancelledError("its executor was closed") from None

    def _run(self, request: JobRequest, on_event: EngineListener, stop: threading.Event) -> Result:
        """The job itself; what its listener raises passes as it is."""
        from engine.runtime.progress import Monitor

        raised: list[Exception] = []

        def listen(event: EngineEvent) -> None:
            try:
                on_event(event)
            except Exception as error:
                raised.append(error)
                raise

        try:
            return self.engine.run(request, Monitor(listen, stop))
        except Cancelled:
            raise
        except Exception as error:
            if raised:
                raise raised[0] from None
            # What nobody foresaw is told by its name, as from another process.
            name = error.code if isinstance(error, UserError) else type(error).__name__
            raise JobFailedError(name, str(error)) from error

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise asyncio.CancelledError("no job starts any more")

    def pause(self) -> None:
        return None

    def resume(self) -> None:
        return None

    async def detach(self) -> int:
        await self.close()
        return 0

    async def close(self) -> None:
        self._closed = True
        self._stop.set()
        async with self._lock:  # whose job is over then
            return None
