"""Work that must not take for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from engine.checkpoints.errors import UnsafeCheckpointError

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What a thread came to."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.value: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Does the work; what it raises waits for whoever joins."""
        try:
            self.value = self._work()
        except BaseException as error:
            self.error = error


def within(seconds: float, work: Callable[[], T]) -> T:
    """The work's value, or what it raises. UnsafeCheckpointError once the time is over.

    The work goes on in its thread then; it holds up neither this one nor the end of the process.
    """
    outcome = _Outcome(work)
    thread = threading.Thread(target=outcome.run, name="loading", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise UnsafeCheckpointError(
            f"refused: reading it took longer than {seconds:.0f} s, as only a file that is made "
            "to do so does; fetch it again, or copy it to a disk that is quicker"
        )
    if outcome.error is not None:
        raise outcome.error
    return outcome.value  # type: ignore[return-value]
