"""What makes the app's first content come sooner: while it starts, nothing becomes garbage, and to
look for some over and over takes a tenth of the time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 2.0  # after which it has started, or waits for its user


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """No garbage is looked for until `settle`, or until this ends, however it does."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


async def settle() -> None:
    """Looks for garbage again once the app has started, but not among what was made until then: it
    stays, and keys are answered the sooner."""
    await asyncio.sleep(SECONDS)
    gc.freeze()
    gc.enable()
