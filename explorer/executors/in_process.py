"""Jobs on a thread of this process: for tests, and to step through one under a debugger."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contracts.errors import UserError
from engine.contracts.events import EngineListener
from engine.contracts.jobs import JobRequest, Result
from explorer.executors.errors import JobFailedError

if TYPE_CHECKING:
    from engine.worker.engine import Engine


class InProcessExecutor:
    """Runs jobs one at a time; it can be neither paused nor detached."""

    paused = False

    def __init__(self, spool: Path) -> None:
        from engine.worker.engine import Engine  # PyTorch: only for whoever works in this process

        self.engine: Engine = Engine(spool)
        self._lock = asyncio.Lock()
        self._closed = False

    async def run(self, request: JobRequest, on_event: EngineListener) -> Result:
        from engine.runtime.progress import Monitor

        if self._closed:
            raise asyncio.CancelledError("no job starts any more")
        stop = threading.Event()
        async with self._lock:
            work = asyncio.to_thread(self.engine.run, request, Monitor(on_event, stop))
            task = asyncio.ensure_future(work)
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                stop.set()
                await asyncio.wait([task])
                raise
            except UserError as error:
                raise JobFailedError(error.code, str(error)) from error

    def pause(self) -> None:
        return None

    def resume(self) -> None:
        return None

    async def detach(self) -> int:
        self._closed = True
        return 0

    async def close(self) -> None:
        self._closed = True
