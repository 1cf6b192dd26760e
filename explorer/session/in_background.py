"""A process that works on a store without anybody watching: started, found, asked to hand over.

It says in the working folder which process it is. Whoever wants the store asks it with a signal:
it writes what is still to be done, leaves its jobs running, and lets go of the store; who asked
takes all that over. So there is one writer at any time, and nothing is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from engine.contracts.errors import UserError
from engine.contracts.files import write_text_atomically
from engine.contracts.marker import Marker, read_marker, start_of
from engine.contracts.working_folder import (
    BACKGROUND_LOG,
    IN_BACKGROUND,
    make_folder,
    open_own,
    remove_file,
)
from explorer.executors.worker_signals import signal_one
from explorer.session.background_reports import Report, report_of, write_report

HAND_OVER = signal.SIGUSR1  # writes what is to be done, leaves its jobs running, and ends
STOP = signal.SIGINT  # ends its jobs too, and forgets what was left to the policy
HAND_OVER_SECONDS = 30.0
_CLOSING_SECONDS = 5.0
TAKEN_SECONDS = 20.0  # who asked for a store and has not taken it by then is gone
_POLL_SECONDS = 0.05
# As for a worker: our own modules are imported before anything else can be called so.
_PROGRAM = """
import sys
sys.path.insert(0, {ours!r})
import engine, store, explorer
del sys.path[0]
sys.path.append({ours!r})
sys.argv[0] = "pe-explore"
from explorer.cli.main import main
main()
"""


class NotInBackgroundError(UserError):
    """Work that cannot go on in a process of its own here."""

    code = "not-in-background"


def background_log(spool: Path) -> Path:
    """Where the process tells what it does."""
    return spool / BACKGROUND_LOG


def can_work_in_background() -> bool:
    """Whether this system tells later which process it was: else nobody could end it."""
    return start_of(os.getpid()) is not None


def start(store: Path, spool: Path, options: Sequence[str] = ()) -> int:
    """Starts the process that goes on with a store's plan; its number. Raises
    NotInBackgroundError. Only for who has let go of the store.

    It is reported from here on: it takes a second to say anything itself, and `jobs wait` may come
    before that.
    """
    if not can_work_in_background():
        raise NotInBackgroundError(
            "this system does not tell when a process began, so nobody could find it again"
        )
    program = _PROGRAM.format(ours=str(Path(__file__).parents[2]))
    # The store comes last: by it the process is known (`Marker.works_for`).
    command = [sys.executable, "-P", "-c", program, "work", *options, "--", os.path.abspath(store)]
    try:
        make_folder(spool)
        log = open_own(background_log(spool), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC)
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        finally:
            os.close(log)
    except OSError as error:
        raise NotInBackgroundError(f"no process can be started: {error}") from error
    pid, path = child.pid, os.path.abspath(store)
    write_report(Report(path, pid, start_of(pid), time.time()))
    child.returncode = 0  # nobody's child from here on: no warning that it was not waited for
    return pid


# ------------------------------------------------------------ which process it is


def mark(spool: Path) -> None:
    """Says that this process works in this folder. Raises NotInBackgroundError."""
    started = start_of(os.getpid())
    if started is None:
        raise NotInBackgroundError("this system does not tell when a process began")
    marker = Marker(os.getpid(), started, "background")
    write_text_atomically(spool / IN_BACKGROUND, json.dumps(asdict(marker)))


def unmark(spool: Path) -> None:
    """This process works here no more. Only once the store is free: who waits for it opens it."""
    marker = read_marker(spool / IN_BACKGROUND)
    if marker is not None and marker.pid == os.getpid():  # else somebody else's by now
        remove_file(spool / IN_BACKGROUND)


async def is_taken_over(store: Path, seconds: float = TAKEN_SECONDS) -> bool:
    """Whether somebody takes a store within so many seconds that was handed over."""
    return await _comes(lambda: os.path.lexists(_lock_of(store)), seconds)


def works_on(store: Path, spool: Path) -> Marker | None:
    """The process that works on a store in the background, None where none does."""
    marker = read_marker(spool / IN_BACKGROUND)
    return marker if marker is not None and marker.works_for(store) else None


def process_on(store: Path, spool: Path) -> Marker | None:
    """The process that works on a store or has been started for that, and cannot be asked yet."""
    if (marker := works_on(store, spool)) is not None:
        return marker
    report = report_of(store)
    if report is None or not report.works:
        return None
    marker = Marker(report.pid, report.started, "background")
    return marker if marker.works_for(store) else None


# ------------------------------------------------------------ asking it


async def ask(store: Path, spool: Path, what: signal.Signals, seconds: float) -> bool | None:
    """Asks the process to hand over or to stop; whether the store is free in time, None where
    there is no such process. One that has only been started is asked once it listens."""
    marker = process_on(store, spool)
    if marker is None:
        return None
    await _comes(lambda: works_on(store, spool) == marker or not marker.works_for(store), seconds)
    if works_on(store, spool) == marker:
        signal_one(marker, store, what)
    elif marker.works_for(store):
        return False
    if not await _comes(lambda: works_on(store, spool) != marker, seconds):
        return False
    # It cleans up before it lets go. Where another one was quicker, that is told by opening it.
    await _comes(lambda: not os.path.lexists(_lock_of(store)), _CLOSING_SECONDS)
    return True


async def ended(marker: Marker, seconds: float | None) -> bool:
    """Whether a process ends within so many seconds; None waits for ever."""
    return await _comes(lambda: start_of(marker.pid) != marker.started, seconds)


def _lock_of(store: Path) -> Path:
    """The file of the lock, which is there while somebody writes the store."""
    return store.with_name(store.name + ".lock")


async def _comes(holds: Callable[[], bool], seconds: float | None) -> bool:
    """Whether something comes to hold within so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(_POLL_SECONDS)
            return True
    return False
