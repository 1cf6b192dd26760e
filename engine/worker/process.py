"""The process that does the engine's work: commands in, messages out, one JSON object a line.

`main` (with the arguments MESSAGES_FD SPOOL) reads commands from its standard input and writes
messages (see engine.contracts.messages) to the given descriptor. Its own standard output and errors
are free for libraries to print to. Once detached, it finishes its job without a session (see
engine.contracts.spool).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from engine.contracts import spool, with_parent
from engine.contracts.codec import encode
from engine.contracts.errors import Cancelled, UserError
from engine.contracts.events import EngineEvent, EpochEnded, Progress, WorkerReady, WorkerStarted
from engine.contracts.jobs import JobRequest
from engine.contracts.marker import write_marker
from engine.contracts.messages import (
    COMMANDS,
    CancelJob,
    CancelledJob,
    Detached,
    Failed,
    Finished,
    Message,
    RunJob,
    Told,
)
from engine.contracts.niceness import step_back
from engine.contracts.working_folder import make_folder, open_own
from engine.worker import orphan

if TYPE_CHECKING:
    from engine.worker.engine import Engine

DETACHED_PROGRESS_INTERVAL = 1.0  # seconds between two progress events that nobody may ever read


@dataclass(eq=False)
class Task:
    """A job with its own way to be stopped, so that a late cancel cannot meet the next job."""

    request: JobRequest
    stop: threading.Event = field(default_factory=threading.Event)
    epochs: list[Told] = field(default_factory=list)  # told again once it is detached


class Worker:
    """Reads commands on a thread of its own, so that a cancel is heard while a job runs."""

    def __init__(self, messages: IO[str], folder: Path, *, own_process: bool = False) -> None:
        """`own_process`: whether the process is the worker's, and ends with its session."""
        self.messages = messages
        self.spool = folder
        self.own_process = own_process
        self.listening = threading.Event()
        self.lock = threading.Condition()  # of everything below, and of writing
        self.pending: deque[Task] = deque()
        self.current: Task | None = None
        self.ending = False
        self.detached_key: str | None = None
        self.last_progress = 0.0

    # ------------------------------------------------------------ commands

    def listen(self) -> None:
        """Takes commands until standard input closes: the session is gone, so the work ends."""
        if self.own_process:
            with_parent.end_with_parent()  # of this thread, which hears of being detached
        self.listening.set()
        try:
            for line in sys.stdin:
                command = COMMANDS.decode(json.loads(line))
                with self.lock:
                    if isinstance(command, RunJob):
                        self.pending.append(Task(command.request))
                        self.lock.notify()
                    elif isinstance(command, CancelJob):
                        self.cancel(command.job_id)
                    else:
                        self.detach()
                        return
        except ValueError:  # a session of another version must not wait for one that went deaf
            traceback.print_exc()
        with self.lock:
            self.end()
        if self.own_process:
            orphan.end_soon()  # the job may be where it does not look whether it is to stop

    def cancel(self, job_id: str) -> None:
        """Stops that job if it runs or waits; one that is over stays as it ended."""
        for task in (self.current, *self.pending):
            if task is not None and task.request.id == job_id:
                task.stop.set()

    def end(self) -> None:
        """Stops the current job and takes no other."""
        self.ending = True
        self.pending.clear()
        if self.current is not None:
            self.current.stop.set()
        self.lock.notify()

    def detach(self) -> None:
        """From now on works for nobody: ends after this job, and tells a file of it."""
        task = self.current or (self.pending[0] if self.pending else None)
        key = task.request.key if task is not None else None
        try:
            if task is None or key is None:
                raise OSError("there is no job that could be found again")
            make_folder(self.spool)
            path, flags = spool.events_path(self.spool, key), os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            file = os.fdopen(open_own(path, flags), "w", encoding="utf-8")
            file.writelines(json.dumps(encode(told)) + "\n" for told in task.epochs)
            file.flush()
            write_marker(self.spool, key, task.request.id)
        except OSError as error:
            self.end()
            self.write(Detached(None, str(error)))
            return
        if self.own_process:
            with_parent.end_with_parent(False)
        pipe, self.messages, self.detached_key = self.messages, file, key
        self.pending = deque(waiting for waiting in self.pending if waiting is task)
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(json.dumps(encode(Detached(task.request.id))) + "\n")

    # ------------------------------------------------------------ messages

    def tell(self, event: EngineEvent, job_id: str | None = None) -> None:
        """Passes an event on; of a detached job not every step."""
        told = Told(event, job_id)
        with self.lock:
            if isinstance(event, EpochEnded) and self.current is not None:
                self.current.epochs.append(told)
            if self.detached_key is not None and isinstance(event, Progress):
                if time.monotonic() - self.last_progress < DETACHED_PROGRESS_INTERVAL:
                    return
                self.last_progress = time.monotonic()
            self.write(told)

    def write(self, message: Message) -> None:
        """One line; where nobody reads any more, the process ends."""
        try:
            self.messages.write(json.dumps(encode(message)) + "\n")
            self.messages.flush()
        except OSError:
            if self.detached_key is None:
                os._exit(1)  # the session is gone; what is finished lies in the spool folder
            # On a full disk a detached job's work matters more than being told of.

    # ------------------------------------------------------------ jobs

    def serve(self) -> None:
        """Runs jobs in the order they came."""
        threading.Thread(target=self.listen, daemon=True).start()
        self.listening.wait()
        if self.own_process:
            with_parent.end_with_parent(False)  # of this thread; that of the other one holds
        self.tell(WorkerStarted(os.getpid()))
        from engine.worker.engine import Engine  # seconds of import: after the first sign of life

        engine = Engine(self.spool)
        self.tell(WorkerReady())
        while (task := self.next_task()) is not None:
            self.run_one(engine, task)
        if self.detached_key is not None:
            spool.marker_path(self.spool, self.detached_key).unlink(missing_ok=True)

    def next_task(self) -> Task | None:
        with self.lock:
            while not self.pending:
                if self.ending or self.detached_key is not None:
                    return None
                self.lock.wait()
            self.current = self.pending.popleft()
            return self.current

    def run_one(self, engine: Engine, task: Task) -> None:
        """Runs one job and tells how it ended."""
        from engine.runtime.progress import Monitor

        job_id = task.request.id
        monitor = Monitor(lambda event: self.tell(event, job_id), task.stop)
        try:
            monitor.check()
            self.finish(Finished(job_id, engine.run(task.request, monitor)))
        except Cancelled:
            self.finish(CancelledJob(job_id))
        except UserError as error:
            self.finish(Failed(job_id, error.code, str(error)))
        except Exception as error:  # the boundary of the process: told by name, logged whole
            traceback.print_exc()
            self.finish(Failed(job_id, *_named(error)))

    def finish(self, message: Finished | Failed | CancelledJob) -> None:
        """Tells how the current job ended; nothing comes between that and its end."""
        with self.lock:
            # A detached job's result lies in its file; whoever asks again finds it there.
            if self.detached_key is None or not isinstance(message, Finished):
                self.write(message)
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
    step_back()
    # Ctrl-C reaches the whole terminal; the session decides what it means for the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with_parent.end_with_parent()
    # It comes with being woken when the session is gone, and from a terminal that a detached job
    # outlives; the closed input tells what to do.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    orphan.end_children_too()
    messages = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    Worker(messages, Path(sys.argv[2]), own_process=True).serve()
