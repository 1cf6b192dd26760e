"""A session for as long as a command takes: its workers, its store and what they leave behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from explorer.executors.kinds import workers
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.worker_pool import WorkerPool
from explorer.session.accepting import Accept, whatever_it_is
from explorer.session.events import Emit
from explorer.session.open_run import Request, open_session
from explorer.session.session import Session


@asynccontextmanager
async def session_of(
    request: Request, emit: Emit, accept: Accept = whatever_it_is
) -> AsyncIterator[Session]:
    """The session that a request means; afterwards store and workers are closed, however it ends.

    Raises what opening one does: UsageError, StoreError, JobFailedError, DoubtfulRootError.
    """
    executors: list[WorkerPool] = []

    def make(spool: Path) -> WorkerPool:
        executors.append(workers(spool))
        return executors[0]

    try:
        session = await open_session(request, make, emit, accept)
        try:
            yield session
        finally:
            session.store.close()
    finally:
        for executor in executors:
            await executor.close()
            clear_spool(executor.spool)
