"""Where jobs run: what every place offers."""

from __future__ import annotations

from typing import Protocol

from engine.contracts.events import EngineListener
from engine.contracts.jobs import JobRequest, Result


class Executor(Protocol):
    """Runs jobs, each with a listener of its own: one that raises fails that job alone.

    Cancelling the awaiting task cancels the job within a second, and makes room for the next one.
    Jobs that find no room wait, and are begun in the order in which they were asked for.
    """

    @property
    def can_pause(self) -> bool:
        """Whether `pause` stops anything; where it does not, it does nothing at all."""
        ...

    @property
    def paused(self) -> bool:
        """Whether all work stands still."""
        ...

    @property
    def detachable(self) -> int:
        """How many jobs `detach` would leave running now; those that wait for room are none."""
        ...

    async def run(self, request: JobRequest, on_event: EngineListener) -> Result:
        """The job's result. Raises JobFailedError; CancelledError once closed or detached."""
        ...

    def pause(self) -> None:
        """Stops all work where it stands; nothing is lost."""
        ...

    def resume(self) -> None:
        """Lets all work go on."""
        ...

    async def detach(self) -> int:
        """Lets the jobs under way go on without this process; gives how many do.

        Nothing can be run afterwards, and whoever waits for a job is cancelled.
        """
        ...

    async def close(self) -> None:
        """Ends what runs, but not what was detached, and frees what is held."""
        ...
