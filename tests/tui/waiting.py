"""Waits for what an app does: for conditions, never for times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from textual.app import App

DEADLINE_SECONDS = 60  # of what comes in a blink: only a machine that is very busy needs it


async def until(condition: Callable[[], object], told: Callable[[], str]) -> None:
    """Returns once the condition holds; whatever runs meanwhile goes on. Fails as told."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, told()
        await asyncio.sleep(0.005)


async def handled(app: App) -> None:
    """Waits until every widget waits for a message: a key was handled, on its way up too, and so
    was what it led to."""

    def is_handled() -> bool:
        if app._exit or app._exception or not app.screen_stack:
            return True
        pumps = [w for screen in app.screen_stack for w in screen.walk_children(with_self=True)]
        events = [pump._message_queue.ready_event for pump in (app, *pumps)]
        return all(event._waiters and not event.is_set() for event in events)

    await until(is_handled, lambda: "messages of the app were not handled")
