"""The places where jobs can run, by name; another one is a class like `Executor` and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from engine.contracts.spool import log_path
from explorer.executors.base import Executor
from explorer.executors.in_process import InProcessExecutor
from explorer.executors.worker_pool import NUM_SLOTS, WorkerPool


def workers(spool: Path) -> WorkerPool:
    """Workers of their own processes, whose log is beside their results."""
    return WorkerPool(spool, num_slots=NUM_SLOTS, log=log_path(spool))


EXECUTORS: Mapping[str, Callable[[Path], Executor]] = {
    "workers": workers,
    "in-process": InProcessExecutor,
}
