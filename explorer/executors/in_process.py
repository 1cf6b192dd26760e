"""Jobs on a thread of this process, for tests and debuggers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.contracts.events import Event as Event
from engine.contracts.events import Listener
from explorer.executors.errors import JobFailedError as JobFailedError
from explorer.executors.errors import WorkerDiedError as WorkerDiedError
from explorer.executors.errors import WorkerStartError as WorkerStartError


class InProcessExecutor:
    """Runs jobs on a thread of this process, one at a time; it can be neither paused nor left."""

    paused = False

    def __init__(self, spool: Path) -> None:
        from engine.worker.handlers import Engine

        self.engine = Engine(spool)
        self._lock = asyncio.Lock()

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        from engine.contracts.errors import EngineError
        from engine.runtime.progress import Monitor

        stop = threading.Event()
        async with self._lock:
            work = asyncio.to_thread(self.engine.run, job, Monitor(on_event, stop))
            task = asyncio.ensure_future(work)
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                stop.set()
                await asyncio.wait([task])
                raise
            except EngineError as error:
                raise JobFailedError(type(error).__name__, str(error)) from error

    def pause(self) -> None:
        return None

    def resume(self) -> None:
        return None

    async def leave(self) -> int:
        return 0

    async def close(self) -> None:
        return None
