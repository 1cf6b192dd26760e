"""A session for as long as a command takes: its workers, its store and what they leave behind."""

from __future__ import annotations

import shlex
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType

from explorer.executors.kinds import workers
from explorer.session import in_background
from explorer.session.accepting import Accept, whatever_it_is
from explorer.session.events import Emit
from explorer.session.factories import Allow, nobody
from explorer.session.named_files import expanded, is_store
from explorer.session.open_run import Request, open_session, spool_of, store_of
from explorer.session.session import Session
from store import StoreLockedError


@asynccontextmanager
async def session_of(
    request: Request, emit: Emit, accept: Accept = whatever_it_is, allow: Allow = nobody
) -> AsyncIterator[Session]:
    """The session that a request means; afterwards store and workers are closed, however it ends.

    Raises what opening one does: UsageError, StoreError, JobFailedError, DoubtfulRootError.
    """
    with held_in_background(lambda: _store_of(request)):
        session = await open_session(request, workers, emit, accept, allow)
    try:
        yield session
    finally:
        await session.close()


def _store_of(request: Request) -> Path:
    path = expanded(request.model)
    return path if is_store(path) else store_of(request)


@contextmanager
def held_in_background(store_of: Callable[[], Path]) -> Iterator[None]:
    """Where the store is written by a process in the background, that is said, and how it ends."""
    try:
        yield
    except StoreLockedError as error:
        store = store_of()
        marker = in_background.process_on(store, spool_of(store))
        if marker is None:
            raise
        raise StoreLockedError(
            f"{store} is worked on in the background (process {marker.pid}). "
            f"`pe-explore jobs stop {shlex.quote(str(store))}` ends that, opening the store in the "
            "explorer takes it over, and commands that read work meanwhile (log, show, replay)"
        ) from error


@contextmanager
def ending_in_order() -> Iterator[None]:
    """What asks the process to end is taken as Ctrl-C is: the same command goes on another time.

    Schedulers send SIGTERM, a terminal that is closed SIGHUP; under nohup that one stays ignored.
    They may say it more than once (`timeout` signals the process and its group): what has been
    heard is not heard again while the command ends, which a second Ctrl-C would cut short.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    heard = [number for number, handler in before.items() if handler is signal.SIG_DFL]

    def end(number: int, frame: FrameType | None) -> None:
        for each in heard:  # SIG_IGN would have Python tell of one that came in between
            signal.signal(each, lambda *_: None)
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)  # to whoever hears Ctrl-C just now
        else:  # a shell's job in the background
            raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
