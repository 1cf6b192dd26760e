"""Tells of the end of work to a person who looks elsewhere: once a piece of work, not more."""

from __future__ import annotations

import os
import time

from explorer.session.errors import MENDABLE
from explorer.session.notifying import run_command, sequence
from explorer.tui.context import Context

AWAITED_SECONDS = 20.0  # of work: who waited for less is still looking


class Notifications:
    """How long work has gone on, and the person's wishes about its end."""

    def __init__(self, at: Context) -> None:
        self._at = at
        self._busy_since: float | None = None

    def begin(self) -> None:
        """Work is asked for."""
        if self._busy_since is None:
            self._busy_since = time.monotonic()

    def awaited(self, text: str) -> None:
        """A decision awaits the person; told where the work took its time."""
        since, self._busy_since = self._busy_since, None
        if since is not None and time.monotonic() - since >= AWAITED_SECONDS:
            self.tell(text)

    def tell(self, text: str) -> None:
        """By the terminal, and by the person's program; what stands in the way is told once."""
        config, session = self._at.state.config, self._at.state.session
        store = "" if session is None else str(session.store.path)
        self._send(sequence(config.notify, "pe-explore", text, os.environ))
        try:
            run_command(config.notify_command, store, text)
        except MENDABLE as error:
            self._at.screen.tell_once(str(error))

    def _send(self, told: str) -> None:
        if told == "\a":
            self._at.app.bell()
        elif told and (driver := self._at.app._driver) is not None:
            driver.write(told)  # as the app's own bell and clipboard do
            driver.flush()
