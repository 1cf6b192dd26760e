"""The Protocol of whatever runs jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from engine.contracts.events import Event as Event
from engine.contracts.events import Listener
from explorer.executors.errors import JobFailedError as JobFailedError
from explorer.executors.errors import WorkerDiedError as WorkerDiedError
from explorer.executors.errors import WorkerStartError as WorkerStartError


class Executor(Protocol):
    """Runs jobs. Cancelling the awaiting task cancels the job within a second."""

    @property
    def paused(self) -> bool:
        """Whether all work stands still."""
        ...

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        """The job's result. Raises JobFailedError; CancelledError once closed or left."""
        ...

    def pause(self) -> None:
        """Stops all work where it stands; nothing is lost."""
        ...

    def resume(self) -> None:
        """Lets all work go on."""
        ...

    async def leave(self) -> int:
        """Lets the jobs under way go on without this process; gives how many do.

        Nothing can be run afterwards, and whoever waits for a job is cancelled.
        """
        ...

    async def close(self) -> None:
        """Ends what runs, but not what was left, and frees what is held."""
        ...
