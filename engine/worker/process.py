"""The process that does the engine's work: jobs in, events out, one JSON object a line.

`main` (with the arguments EVENTS_FD SPOOL) reads from its standard input {"run": job}, {"cancel":
job id} and {"leave": true}, and writes events to the given descriptor. Its own standard output and
errors are free for libraries to print to. Once left, it finishes its job without a session (see
engine.contracts.spool).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from engine.contracts import spool as left

NICENESS = 10  # keeps the terminal's keys quick while all cores compute
LEFT_PROGRESS_INTERVAL = 1.0  # seconds between two progress events that nobody may ever read
PR_SET_PDEATHSIG = 1


@dataclass(eq=False)
class Task:
    """A job with its own way to be stopped, so that a late cancel cannot meet the next job."""

    job: Mapping[str, Any]
    stop: threading.Event = field(default_factory=threading.Event)
    epochs: list[dict[str, Any]] = field(default_factory=list)  # told again once it is left


class Worker:
    """Reads commands on a thread of its own, so that a cancel is heard while a job runs."""

    def __init__(self, events: IO[str], spool: Path) -> None:
        self.events = events
        self.spool = spool
        self.lock = threading.Condition()  # of everything below, and of writing
        self.pending: deque[Task] = deque()
        self.current: Task | None = None
        self.ending = False
        self.left_key: str | None = None
        self.last_progress = 0.0

    # ------------------------------------------------------------ commands

    def listen(self) -> None:
        """Takes commands until standard input closes: the session is gone, so the work ends."""
        for line in sys.stdin:
            command = json.loads(line)
            with self.lock:
                if "run" in command:
                    self.pending.append(Task(command["run"]))
                    self.lock.notify()
                elif "cancel" in command:
                    self.cancel(command["cancel"])
                elif "leave" in command:
                    self.leave()
                    return
        with self.lock:
            self.end()

    def cancel(self, job_id: str) -> None:
        """Stops that job if it runs or waits; one that is over stays as it ended."""
        for task in (self.current, *self.pending):
            if task is not None and task.job["id"] == job_id:
                task.stop.set()

    def end(self) -> None:
        """Stops the current job and takes no other."""
        self.ending = True
        self.pending.clear()
        if self.current is not None:
            self.current.stop.set()
        self.lock.notify()

    def leave(self) -> None:
        """From now on works for nobody: ends after this job, and tells a file of it."""
        task = self.current or (self.pending[0] if self.pending else None)
        key = task.job.get("key") if task is not None else None
        try:
            if task is None or key is None:
                raise OSError("there is no job that could be found again")
            self.spool.mkdir(parents=True, exist_ok=True)
            path = left.events_path(self.spool, key)
            file = open(path, "w", encoding="utf-8")  # noqa: SIM115 (the rest is told to it)
            for event in task.epochs:
                file.write(json.dumps(event) + "\n")
            file.flush()
            left.write_marker(self.spool, key, task.job["id"])
        except OSError as error:
            self.end()
            self.write({"event": "left", "job": None, "reason": str(error)})
            return
        pipe, self.events, self.left_key = self.events, file, key
        self.pending = deque(waiting for waiting in self.pending if waiting is task)
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(json.dumps({"event": "left", "job": task.job["id"]}) + "\n")

    # ------------------------------------------------------------ events

    def emit(self, event: dict[str, Any]) -> None:
        with self.lock:
            if event["event"] == "epoch" and self.current is not None:
                self.current.epochs.append(event)
            if self.left_key is not None and event["event"] == "progress":
                if time.monotonic() - self.last_progress < LEFT_PROGRESS_INTERVAL:
                    return
                self.last_progress = time.monotonic()
            self.write(event)

    def write(self, event: Mapping[str, Any]) -> None:
        try:
            self.events.write(json.dumps(event) + "\n")
            self.events.flush()
        except OSError:
            if self.left_key is None:
                os._exit(1)  # the session is gone; what is finished lies in the spool folder
            # On a full disk a left job's work matters more than being told of.

    # ------------------------------------------------------------ jobs

    def serve(self) -> None:
        """Runs jobs in the order they came."""
        threading.Thread(target=self.listen, daemon=True).start()
        self.emit({"event": "started", "pid": os.getpid()})
        from engine.worker.handlers import Engine  # seconds of import: after the first sign of life

        engine = Engine(self.spool)
        self.emit({"event": "ready"})
        while (task := self.next_task()) is not None:
            self.run_one(engine, task)
        if self.left_key is not None:
            left.marker_path(self.spool, self.left_key).unlink(missing_ok=True)

    def next_task(self) -> Task | None:
        with self.lock:
            while not self.pending:
                if self.ending or self.left_key is not None:
                    return None
                self.lock.wait()
            self.current = self.pending.popleft()
            return self.current

    def run_one(self, engine: Any, task: Task) -> None:
        from engine.contracts.errors import Cancelled, EngineError
        from engine.runtime.progress import Monitor

        job_id = task.job["id"]
        monitor = Monitor(lambda event: self.emit({**event, "job": job_id}), task.stop)
        try:
            monitor.check()
            self.finish({"event": "result", "job": job_id, "result": engine.run(task.job, monitor)})
        except Cancelled:
            self.finish({"event": "cancelled", "job": job_id})
        except EngineError as error:
            self.fail(job_id, type(error).__name__, str(error))
        except Exception as error:  # the boundary of the process: told by name, logged whole
            traceback.print_exc()
            self.fail(job_id, *_named(error))

    def fail(self, job_id: str, kind: str, message: str) -> None:
        self.finish({"event": "failed", "job": job_id, "kind": kind, "message": message})

    def finish(self, event: dict[str, Any]) -> None:
        """Tells how the current job ended; nothing comes between that and its end."""
        with self.lock:
            # The result of a job that was left lies in its file; whoever asks again finds it there.
            if self.left_key is None or event["event"] != "result":
                self.write(event)
            self.current = None


def _named(error: Exception) -> tuple[str, str]:
    """The name and the words of an error that was not foreseen."""
    words = str(error).partition("\n")[0]
    # torch tells of a full host as a RuntimeError, of a full GPU as an error of its own.
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if out_of_memory or "can't allocate memory" in words or "not enough memory" in words:
        said = f" ({words[:200]})" if words else ""
        return "MemoryError", f"out of memory{said}; use a smaller --batch-size, or free some"
    return type(error).__name__, words or type(error).__name__


def main() -> None:
    """Serves the session that started this process."""
    os.nice(NICENESS)
    # Ctrl-C reaches the whole terminal; the session decides what it means for the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        # A session that dies cannot wake the worker that it had paused: the kernel does.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)
    events = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    Worker(events, Path(sys.argv[2])).serve()
