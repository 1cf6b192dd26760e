"""Jobs under way in worker processes, and ways to wait for what they do."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

from engine.contracts.events import EpochEnded, WorkerStarted
from engine.contracts.jobs import Diagnosis, Doctor, JobRequest
from explorer.executors.worker_pool import WorkerPool


def request(id: str = "", *, key: str | None = None, slots: int | None = None, **script):
    """A job of the stub worker: "steps", "until" (a file), "then" ("failed", "deaf")."""
    return JobRequest(id or os.urandom(4).hex(), Doctor(json.dumps(script)), key=key, slots=slots)


def nobody(event) -> None:
    """For jobs whose events nobody needs."""


def job_of(result: Diagnosis) -> str:
    """The id of the job that gave this result."""
    return result.environment.python


def pid_of(result: Diagnosis) -> int:
    """The worker that gave this result."""
    return result.cuda_devices


def with_executor(tmp_path, work, **options):
    """Runs `work(executor)` and closes the executor whatever happens."""

    async def all_of_it():
        executor = WorkerPool(tmp_path / "spool", log=tmp_path / "worker.log", **options)
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


async def until(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        await asyncio.sleep(0.005)


class Started:
    """A job under way: its task and what it told."""

    def __init__(self, executor: WorkerPool, asked: JobRequest | None = None, **script) -> None:
        self.heard: list = []
        asked = asked or request(**script)
        self.task = asyncio.ensure_future(executor.run(asked, self.heard.append))

    async def works(self) -> Started:
        """Returns once the engine has begun with it."""
        await until(lambda: self.epochs or self.task.done())
        return self

    @property
    def epochs(self) -> list[int]:
        return [event.epoch for event in self.heard if isinstance(event, EpochEnded)]

    @property
    def pid(self) -> int:
        return next(event.pid for event in self.heard if isinstance(event, WorkerStarted))
