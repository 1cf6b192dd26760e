"""Where no work can be asked for: in a store that is open for reading only."""

from __future__ import annotations

from engine.contracts.errors import UsageError
from engine.contracts.events import EngineListener
from engine.contracts.jobs import JobRequest, Result


class UnavailableExecutor:
    """Refuses every job."""

    can_pause = paused = False
    detachable = 0

    async def run(self, request: JobRequest, on_event: EngineListener) -> Result:
        raise UsageError("this store is open for reading only; no work can be done in it")

    def pause(self) -> None:
        return None

    def resume(self) -> None:
        return None

    async def detach(self) -> int:
        return 0

    async def close(self) -> None:
        return None
