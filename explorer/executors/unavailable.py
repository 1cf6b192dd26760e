"""Stands where no work can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.contracts.errors import UsageError
from engine.contracts.events import Listener


class UnavailableExecutor:
    """Stands where no work can be asked for: in a store that is open for reading only."""

    paused = False

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        raise UsageError("this store is open for reading only; no work can be done in it")

    def pause(self) -> None:
        return None

    def resume(self) -> None:
        return None

    async def leave(self) -> int:
        return 0

    async def close(self) -> None:
        return None
