"""One worker process as a session sees it: a process group of its own that gets commands."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.contracts.codec import encode
from engine.contracts.events import EngineEvent, EngineListener, WorkerReady, WorkerStarted
from engine.contracts.jobs import JobRequest, Result
from engine.contracts.messages import (
    MESSAGES,
    CancelJob,
    CancelledJob,
    Command,
    Detach,
    Detached,
    Failed,
    Finished,
    Message,
    RunJob,
    Told,
)
from engine.contracts.working_folder import make_folder, open_own, reading
from explorer.executors.errors import JobFailedError, WorkerDiedError, WorkerStartError

CANCEL_SECONDS = 0.8  # a worker that has not stopped by then is replaced
DETACH_SECONDS = 5.0  # one that imports PyTorch holds Python's lock for long stretches
SILENT_SECONDS = 600.0  # a job tells of every few batches; one that says nothing for so long hangs
SILENT_WAITS = 10
REAP_INTERVAL = 0.005  # seconds between two looks whether a process has ended
# OpenMP threads that spin while they wait for one another use up their share of a busy core: beside
# two other trainings, fine-tuning on two cores ran ten times slower (benchmarks/RESULTS.md).
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
# Our engine is imported before anything else can be called so (a PYTHONPATH may lead to another).
# The current folder comes last: it may hold a `random.py` of somebody's own, and the module that
# `--arch` names (see engine.models.user_modules).
WORKER = """
import sys
sys.path.insert(0, {ours!r})
import engine
del sys.path[0]
sys.path += [{ours!r}, {current!r}]
from engine.worker.process import main
main()
"""
LINE_LIMIT = 2**26  # bytes of one message; a proposal lists every score


class _Assignment:
    """The job that a worker has: `outcome` is what its session gets, `over` that the worker is
    free again."""

    def __init__(self, request: JobRequest, on_event: EngineListener) -> None:
        self.job_id = request.id
        self.can_be_found_again = request.key is not None
        self.on_event = on_event
        self.outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()

    def tell(self, event: EngineEvent) -> None:
        """Passes an event on to whoever waits for the job."""
        try:
            self.on_event(event)
        except Exception as error:  # the listener's own: whoever waits for the job gets it
            self.fail(error)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()  # seen: nobody may be left to ask for it

    def take(self, message: Finished | Failed | CancelledJob) -> None:
        """Takes word of how this job ended."""
        if isinstance(message, Failed):
            self.fail(JobFailedError(message.error, message.message))
        elif isinstance(message, CancelledJob):
            self.fail(JobFailedError("cancelled", "the worker was told to stop"))
        elif not self.outcome.done():
            self.outcome.set_result(message.result)
        self.over.set()

    def drop(self) -> None:
        """Whoever waits for the job is cancelled; the worker is no longer theirs."""
        self.outcome.cancel()
        self.over.set()


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """A process that is started meanwhile hears of no Ctrl-C, from its first moment on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkerProcess:
    """A worker that is started when needed and replaced when it dies; one job at a time."""

    def __init__(self, spool: Path, log: Path | None) -> None:
        self.spool = spool
        self.log = log
        self.paused = False
        self._child: subprocess.Popen[bytes] | None = None
        self._messages: asyncio.ReadTransport | None = None
        self._commands: asyncio.WriteTransport | None = None
        self._reading: asyncio.Task[None] | None = None
        self._assignment: _Assignment | None = None
        self._detached: asyncio.Future[bool] | None = None
        self._started = self._ready = False
        self._log_start = 0
        self._num_heard = 0

    # ------------------------------------------------------------ its life

    async def ensure_started(self) -> None:
        """Starts the process unless it runs. Raises WorkerStartError."""
        if self._reading is not None and not self._reading.done() and self._runs():
            return
        await self.kill()
        read_fd, write_fd = os.pipe()
        messages = os.fdopen(read_fd, "rb", buffering=0)
        try:
            with os.fdopen(write_fd, "wb"):
                self._spawn(write_fd)
        except OSError as error:
            messages.close()
            raise WorkerStartError(f"no worker process: {error}") from error
        await self._connect(messages)

    def _spawn(self, write_fd: int) -> None:
        program = WORKER.format(ours=str(Path(__file__).parents[2]), current=_current_folder())
        with self._open_log() as output, _interrupts_held_back():
            self._log_start = output.tell()
            # Not asyncio's: that kills the process when its own object goes, even one left running.
            # On the thread of the loop: a worker ends with the thread that started it.
            # In a group of its own, so that Ctrl-C does not reach it, but in the same session: the
            # system wakes one that stands still when this process dies (an orphaned group).
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-c", program, str(write_fd), str(self.spool)],
                stdin=subprocess.PIPE, stdout=output, stderr=output,
                pass_fds=(write_fd,), process_group=0, env=WORKER_ENVIRONMENT | os.environ,
                cwd=_current_folder(),
            )  # fmt: skip
        self._started = self._ready = False

    def _open_log(self) -> IO[bytes]:
        if self.log is None:
            return open(os.devnull, "ab")
        make_folder(self.log.parent)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        output = os.fdopen(open_own(self.log, flags), "ab")
        output.seek(0, os.SEEK_END)
        return output

    async def _connect(self, pipe: IO[bytes]) -> None:
        assert self._child is not None
        loop = asyncio.get_running_loop()
        messages = asyncio.StreamReader(limit=LINE_LIMIT)
        try:
            self._messages, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(messages), pipe
            )
            # A transport of its own: what a stopped worker does not read must not block the loop.
            self._commands, _ = await loop.connect_write_pipe(
                asyncio.BaseProtocol, self._child.stdin
            )
        except BaseException:
            await self.kill()
            raise
        self._reading = asyncio.create_task(self._read(messages))

    def _runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    async def kill(self) -> None:
        """Ends the worker and everything it started; whoever waits for its job is cancelled."""
        if self._assignment is not None:
            self._assignment.drop()
        child = self._release()
        if child is None:
            return
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        while child.poll() is None:
            await asyncio.sleep(REAP_INTERVAL)

    def _release(self) -> subprocess.Popen[bytes] | None:
        """Lets go of the process, which lives on; gives it back."""
        if self._reading is not None:
            self._reading.cancel()
        if self._messages is not None:
            self._messages.close()
        if self._commands is not None and not self._commands.is_closing():
            self._commands.abort()  # what it has not read it never will
        child, self._child = self._child, None
        self._reading = self._messages = self._commands = None
        return child

    # ------------------------------------------------------------ its jobs

    async def run(self, request: JobRequest, on_event: EngineListener) -> Result:
        """The job's result. Raises JobFailedError; CancelledError once killed or detached."""
        await self.ensure_started()
        assignment = self._assignment = _Assignment(request, on_event)
        try:
            self._send(RunJob(request))
            await self._outcome(assignment)
            if not assignment.over.is_set():  # the listener failed, not the job
                await self._cancel(assignment)
            return assignment.outcome.result()
        except asyncio.CancelledError:
            if not assignment.over.is_set() and self._detached is None:
                await self._cancel(assignment)
            raise
        finally:
            self._assignment = None

    async def _outcome(self, assignment: _Assignment) -> None:
        """Returns once the job is over; a worker that says nothing for too long is ended."""
        silent, heard = 0, -1
        while not assignment.outcome.done():
            # Short waits are counted, not the time: this process may have been stopped meanwhile.
            await asyncio.wait([assignment.outcome], timeout=SILENT_SECONDS / SILENT_WAITS)
            silent = 0 if self.paused or self._num_heard != heard else silent + 1
            heard = self._num_heard
            if silent == SILENT_WAITS and not assignment.outcome.done():
                words = f"the worker gave no sign of life for {SILENT_SECONDS:.0f} s and was ended"
                assignment.fail(WorkerDiedError(words))
                assignment.over.set()
                await self.kill()

    async def _cancel(self, assignment: _Assignment) -> None:
        self.signal(signal.SIGCONT)  # a paused worker hears nothing
        self._send(CancelJob(assignment.job_id))
        try:
            await asyncio.wait_for(assignment.over.wait(), CANCEL_SECONDS)
        except TimeoutError:
            await self.kill()
        except asyncio.CancelledError:
            await self.kill()
            raise
        if self.paused:
            self.signal(signal.SIGSTOP)

    @property
    def can_detach(self) -> bool:
        """Whether it has a job that it could finish without a session."""
        return self._assignment is not None and self._assignment.can_be_found_again and self._runs()

    async def detach(self) -> bool:
        """Lets the worker finish its job without a session; False where it has none to finish."""
        if self._assignment is None or not self._runs():
            return False
        self.signal(signal.SIGCONT)
        self._detached = asyncio.get_running_loop().create_future()
        self._send(Detach())
        await asyncio.wait([self._detached], timeout=DETACH_SECONDS)
        if not self._detached.done() or not self._detached.result():
            return False
        child = self._release()
        assert child is not None
        child.returncode = 0  # nobody's child from here on: no warning that it was not waited for
        return True

    def pause(self) -> None:
        """Stops the process where it stands; one that starts later stops at once."""
        self.paused = True
        # Not before its first sign of life: from there on it ends if this process dies.
        if self._started:
            self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the process go on."""
        self.paused = False
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the worker and everything it started, if it runs."""
        if self._child is not None and self._runs():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)

    # ------------------------------------------------------------ what passes between

    def _send(self, command: Command) -> None:
        if self._commands is not None:  # to a dead worker nothing goes; reading tells of its death
            self._commands.write(json.dumps(encode(command)).encode() + b"\n")

    async def _read(self, messages: asyncio.StreamReader) -> None:
        """Passes messages on until the worker ends; then tells whoever waits for its job."""
        # A line cut short by the worker's death is no message.
        why = ""
        try:
            while (line := await messages.readline()).endswith(b"\n"):
                self._on_message(MESSAGES.decode(json.loads(line)))
        except ValueError as error:  # FormatError is one
            why = f"sent what is no message ({error}) and "
            self.signal(signal.SIGKILL)
        death = await self._death(why)
        if self._detached is not None and not self._detached.done():
            self._detached.set_result(False)
        if self._assignment is not None:
            self._assignment.fail(death)
            self._assignment.over.set()

    def _on_message(self, message: Message) -> None:
        self._num_heard += 1
        assignment = self._assignment
        if isinstance(message, Detached):
            if assignment is not None:
                assignment.drop()
            if self._detached is not None and not self._detached.done():
                self._detached.set_result(message.job_id is not None)
        elif isinstance(message, Told) and isinstance(message.event, WorkerStarted | WorkerReady):
            self._on_sign_of_life(message.event)
        elif assignment is None or message.job_id != assignment.job_id:
            return  # of a job that nobody waits for any more
        elif isinstance(message, Told):
            assignment.tell(message.event)
        else:
            assignment.take(message)

    def _on_sign_of_life(self, event: WorkerStarted | WorkerReady) -> None:
        self._ready = self._ready or isinstance(event, WorkerReady)
        self._started = True
        if self.paused:
            self.signal(signal.SIGSTOP)
        if self._assignment is not None:
            self._assignment.tell(event)

    async def _death(self, why: str) -> JobFailedError:
        """How the process ended, once it has."""
        child = self._child
        assert child is not None
        for _ in range(round(CANCEL_SECONDS / REAP_INTERVAL)):
            if child.poll() is not None:
                break
            await asyncio.sleep(REAP_INTERVAL)
        else:  # it closed its events and lives on: of no use to anybody
            self.signal(signal.SIGKILL)
            while child.poll() is None:
                await asyncio.sleep(REAP_INTERVAL)
        code = child.returncode
        where = f"; its output is in {self.log}" if self.log else ""
        if code > 0 and not self._ready:
            last = self._last_words()
            return WorkerStartError(f"a worker cannot start{last}{where}")
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended ({code})"
        hint = " (out of memory?)" if code == -signal.SIGKILL and not why else ""
        return WorkerDiedError(f"the worker process {why}{how}{hint}{where}")

    def _last_words(self) -> str:
        """The last line that this process printed, which names the error that ended it."""
        if self.log is None:
            return ""
        with contextlib.suppress(OSError), reading(self.log) as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").strip().splitlines()
            return f": {lines[-1]}" if lines else ""
        return ""


def _current_folder() -> str:
    """The current folder; one that was deleted holds no module of anybody's."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep
