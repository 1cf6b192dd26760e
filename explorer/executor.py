"""Where jobs run: in worker processes, one a device, or in this process (tests)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

Event = Mapping[str, Any]
Listener = Callable[[Event], None]
CANCEL_SECONDS = 0.8  # a worker that has not stopped by then is replaced
# OpenMP threads that spin while they wait for one another use up their share of a busy core: beside
# two other trainings, fine-tuning on two cores ran ten times slower (benchmarks/RESULTS.md).
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
LINE_LIMIT = 2**26  # bytes of one event; a proposal lists every score


class JobFailedError(Exception):
    """A job that ended without a result; `kind` is the name of the error it met."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class WorkerDiedError(JobFailedError):
    """A worker process that ended in the middle of a job; the job can be retried."""


class Executor(Protocol):
    """Runs jobs. Cancelling the awaiting task cancels the job within a second."""

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        """The job's result. Raises JobFailedError."""
        ...

    async def close(self) -> None:
        """Ends what runs and frees what is held."""
        ...


class InProcessExecutor:
    """Runs jobs on a thread of this process, one at a time."""

    def __init__(self, spool: Path) -> None:
        from engine.jobs import Engine

        self.engine = Engine(spool)
        self._lock = asyncio.Lock()

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        from engine.errors import EngineError
        from engine.monitor import Monitor

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

    async def close(self) -> None:
        return None


class WorkerExecutor:
    """Runs jobs in worker processes, as many at a time as there are slots.

    Workers start with the first job (or `warm_up`) and are replaced when they die.
    """

    def __init__(self, spool: Path, *, num_slots: int = 1, log: Path | None = None) -> None:
        self.spool = spool
        self.log = log
        self._free: asyncio.Queue[_WorkerProcess] = asyncio.Queue()
        self._all = [_WorkerProcess(spool, log) for _ in range(num_slots)]
        for process in self._all:
            self._free.put_nowait(process)

    async def warm_up(self) -> None:
        """Starts a worker before its first job, to hide the seconds that importing takes."""
        process = await self._free.get()
        try:
            await process.ensure_started()
        finally:
            self._free.put_nowait(process)

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        process = await self._free.get()
        try:
            return await process.run(job, on_event)
        finally:
            self._free.put_nowait(process)

    async def close(self) -> None:
        for process in self._all:
            await process.kill()


class _WorkerProcess:
    """One worker: a process group of its own, commands on its stdin, events on a pipe."""

    def __init__(self, spool: Path, log: Path | None) -> None:
        self.spool = spool
        self.log = log
        self.process: asyncio.subprocess.Process | None = None
        self.events: asyncio.StreamReader | None = None
        self.transport: asyncio.ReadTransport | None = None

    async def ensure_started(self) -> None:
        if self.process is not None and self.process.returncode is None:
            return
        await self.kill()
        read_fd, write_fd = os.pipe()
        log = self.log or Path(os.devnull)
        log.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(write_fd, "wb"), open(log, "ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "engine.worker", str(write_fd), str(self.spool),
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output,
                pass_fds=(write_fd,), start_new_session=True, env=WORKER_ENVIRONMENT | os.environ,
            )  # fmt: skip
        loop = asyncio.get_running_loop()
        self.events = asyncio.StreamReader(limit=LINE_LIMIT)
        protocol = asyncio.StreamReaderProtocol(self.events)
        self.transport, _ = await loop.connect_read_pipe(
            lambda: protocol, os.fdopen(read_fd, "rb", buffering=0)
        )

    async def run(self, job: Mapping[str, Any], on_event: Listener) -> dict[str, Any]:
        await self.ensure_started()
        await self._send({"run": dict(job)})
        try:
            return await self._result(job["id"], on_event)
        except asyncio.CancelledError:
            await self._cancel(job["id"])
            raise

    async def _result(self, job_id: str, on_event: Listener) -> dict[str, Any]:
        while (event := await self._next_event()) is not None:
            if event["event"] in ("started", "ready"):
                on_event(event)
            if event.get("job") != job_id:
                continue
            if event["event"] == "result":
                return event["result"]
            if event["event"] == "failed":
                raise JobFailedError(event["kind"], event["message"])
            if event["event"] == "cancelled":
                raise JobFailedError("Cancelled", "the worker was told to stop")
            on_event(event)
        raise await self._death()

    async def _next_event(self) -> dict[str, Any] | None:
        assert self.events is not None
        line = await self.events.readline()
        # A line cut short by the worker's death is no event.
        return json.loads(line) if line.endswith(b"\n") else None

    async def _send(self, command: Mapping[str, Any]) -> None:
        assert self.process is not None and self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # seen as death when read
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            await self.process.stdin.drain()

    async def _death(self) -> WorkerDiedError:
        assert self.process is not None
        code = await self.process.wait()
        how = (
            f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"ended ({code})"
        )
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        where = f"; its output is in {self.log}" if self.log else ""
        await self.kill()
        return WorkerDiedError("WorkerDied", f"the worker process {how}{hint}{where}")

    async def _cancel(self, job_id: str) -> None:
        await self._send({"cancel": job_id})

        async def until_stopped() -> None:
            while (event := await self._next_event()) is not None:
                if event.get("job") == job_id and event["event"] in (
                    "cancelled", "result", "failed",
                ):  # fmt: skip
                    return

        try:
            await asyncio.wait_for(until_stopped(), CANCEL_SECONDS)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Ends the worker and everything it started."""
        if self.transport is not None:
            self.transport.close()
            self.transport = None
        if self.process is None:
            return
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        self.process = None
