"""Jobs under way in worker processes, and ways to wait for what they do."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from explorer.executors.worker_pool import WorkerExecutor


def with_executor(tmp_path, work, **options):
    """Runs `work(executor)` and closes the executor whatever happens."""

    async def all_of_it():
        executor = WorkerExecutor(tmp_path / "spool", log=tmp_path / "worker.log", **options)
        try:
            return await asyncio.wait_for(work(executor), 240)
        finally:
            await executor.close()

    return asyncio.run(all_of_it())


def state_of(pid: int) -> str:
    """One letter: R or S running, T stopped, Z ended; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


async def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        await asyncio.sleep(0.005)


class Started:
    """A job under way: its task and what it told."""

    def __init__(self, executor: WorkerExecutor, **job) -> None:
        self.heard: list[dict] = []
        job = {"id": os.urandom(4).hex(), **job}
        self.task = asyncio.ensure_future(executor.run(job, self.heard.append))

    async def works(self) -> Started:
        """Returns once the engine has begun with it."""
        await until(lambda: any(e["event"] == "epoch" for e in self.heard) or self.task.done())
        return self

    @property
    def pid(self) -> int:
        return next(e["pid"] for e in self.heard if e["event"] == "started")
