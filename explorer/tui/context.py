"""What an action works with: the state, the main screen, and words with the person."""

from __future__ import annotations

import io
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from textual.app import App
from textual.screen import Screen

from engine.contracts.files import write_text_atomically
from explorer.session.errors import MENDABLE
from explorer.session.steering import Steering
from explorer.tui.main_screen import MainScreen
from explorer.tui.state import AppState, steering_or_refuse
from explorer.views.safe_text import safe
from store import Node

T = TypeVar("T")
Severity = Literal["information", "warning", "error"]
TOAST_SECONDS: dict[Severity, float] = {"information": 2.5, "warning": 5.0, "error": 10.0}


@dataclass(frozen=True)
class Context:
    """Handed to every action, and to what opens and closes the run."""

    state: AppState
    screen: MainScreen

    @property
    def store_name(self) -> str:
        """The store's name without its suffixes, to call files by."""
        return self.state.open_session.store.path.name.partition(".")[0]

    @property
    def store_path(self) -> str:
        """The store, for commands."""
        return str(self.state.open_session.store.path)

    @property
    def run_meant(self) -> str | None:
        """The open run, for commands; None where it is the newest, which they mean."""
        session = self.state.open_session
        newest, run = session.store.latest_run(), session.run.id
        return None if newest is None or newest.id == run else str(run)

    @property
    def app(self) -> App[Any]:
        return self.screen.app

    # ------------------------------------------------------------ words

    def notify(self, text: str, severity: Severity = "information") -> None:
        """A toast."""
        seconds = TOAST_SECONDS[severity]
        self.app.notify(safe(text), severity=severity, markup=False, timeout=seconds)

    def save(self, name: str, text: str) -> None:
        """Writes a file in the current folder, or has a browser take it; which, or what stands in
        its way, is told."""
        if self.app.is_web:
            self.app.deliver_text(io.StringIO(text), save_filename=name)
            return
        path = Path.cwd() / name
        try:
            write_text_atomically(path, text)
        except OSError as error:
            self.notify(f"cannot write {path}: {error.strerror}", "warning")
            return
        self.notify(f"saved {path}")

    def run_or_notify(self, action: Callable[[], T]) -> T | None:
        """The action's result; what stands in its way is told, and None given."""
        try:
            return action()
        except MENDABLE as error:
            self.notify(str(error), "warning")
            return None

    async def ask(self, dialog: Screen[T]) -> T:
        """What the person answers to a dialog. To be awaited in a worker."""
        return await self.app.push_screen_wait(dialog)

    async def show_error(
        self, title: str, cause: str, remedy: str, *, retry: bool = False, detail: str | None = None
    ) -> bool:
        """A dialog about an error; whether the person wants it tried again."""
        from explorer.tui.screens.dialogs import ErrorDialog  # after the first paint

        dialog = ErrorDialog(title, cause, remedy, detail=detail, retry=retry)
        return await self.ask(dialog) == "retry"

    def start(
        self, work: Coroutine[Any, Any, None], group: str = "default", *, exclusive: bool = False
    ) -> None:
        """Lets this go on in a worker, which may ask; an exclusive one ends those of its group."""
        self.app.run_worker(self._until_done(work), group=group, exclusive=exclusive)

    async def _until_done(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MENDABLE as error:
            self.screen.tell_once(str(error))

    # ------------------------------------------------------------ the tree, to be changed

    def steering(self) -> Steering | None:
        """The steering; None, and the person is told, where the tree cannot be changed now."""
        return self.run_or_notify(lambda: steering_or_refuse(self.state))

    def steering_at_subject(self) -> tuple[Steering, Node] | None:
        """The steering, and the parent that is to be decided."""
        steering, name = self.steering(), self.state.subject
        if steering is None or name is None:
            return None
        return steering, steering.session.node(name)

    def steering_at_selected(self) -> tuple[Steering, Node] | None:
        """The steering, and the selected node."""
        steering, node = self.steering(), self.state.selected_node
        return None if steering is None or node is None else (steering, node)
