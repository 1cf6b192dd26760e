"""From what is open to another run of its store, or to another store; asked first where work is
live.

One run is steered at a time. What is under way in it goes on in the background or ends, as the
person says; what was left to be done waits with its run. Nothing is decided in a run but while it
is the one that is shown.
"""

from __future__ import annotations

from pathlib import Path

from explorer.session import in_background
from explorer.session.allowance import words
from explorer.session.background_reports import run_in_background
from explorer.session.documents import RunDocument
from explorer.session.errors import MENDABLE
from explorer.session.known_run import find_run, newest_run
from explorer.session.open_run import Request, spool_of
from explorer.tui import presenter
from explorer.tui.context import Context
from explorer.tui.lifecycle import Lifecycle
from explorer.tui.wanted import OtherWanted
from store import TreeStore


class Switching:
    """Goes from one run to another, one time after the other."""

    def __init__(self, at: Context, lifecycle: Lifecycle) -> None:
        self._at, self._state, self._lifecycle = at, at.state, lifecycle
        self._under_way = False
        self._left: str = ""  # the run that was left to the background

    async def open(self, wanted: OtherWanted) -> None:
        """Opens what is wanted; what stands in the way is told, and nothing changes."""
        if self._under_way:
            return
        if self._state.session is None:
            self._at.notify("no tree is open yet")
            return
        self._under_way = True
        try:
            if wanted.store is not None:
                await self._to_store(Path(wanted.store))
            elif wanted.run is not None:
                await self._to_run(wanted.run)
        except MENDABLE as error:
            self._at.notify(str(error), "warning")
        finally:
            self._under_way = False

    # ------------------------------------------------------------ another run

    async def _to_run(self, wanted: str) -> None:
        session = self._state.open_session
        document = RunDocument.of(find_run(session.store, wanted))
        name, is_open = document.run.name, document.run.id == session.run.id
        if session.store.read_only:
            if self._may_be_ours(document):
                await self._reopen(document)
            elif not is_open:
                await self._lifecycle.on_run(document)
        elif not is_open:
            way = await self._way(f"run {name}", read_only_meanwhile=True)
            if way == "leave":
                await self._reopen(document, leave=True)
            elif way == "stop":
                await self._lifecycle.on_run(document)
        elif self._state.session is session:
            self._at.notify(f"run {name} is open")

    def _may_be_ours(self, document: RunDocument) -> bool:
        """Whether a store that is shown for reading may be asked for again, to work on this run:
        not where that would end work of another one."""
        if self._wishes_to_look:
            return False
        path = self._state.open_session.store.path
        if in_background.process_on(path, spool_of(path)) is None:
            return True
        return document.run.uuid == (run_in_background(path) or self._left)

    async def _reopen(self, document: RunDocument, *, leave: bool = False) -> None:
        """Lets go of the store and opens it again on another run; it is only looked at where the
        one before goes on in the background."""
        session = self._state.open_session
        path, self._left = session.store.path, session.run.uuid if leave else ""
        self._state.request = self._request_for(path, document.run.uuid)
        await self._lifecycle.part(leave=leave)
        await self._open_anew(only_looks=leave)

    # ------------------------------------------------------------ another store

    async def _to_store(self, path: Path) -> None:
        session = self._state.open_session
        if path.exists() and path.samefile(session.store.path):
            self._at.notify(f"{path.name} is open")
            return
        with TreeStore.open(path, read_only=True) as store:
            newest_run(store)  # raises where it cannot be opened, before this one is left
        way = await self._way(path.name)
        if way is None:
            return
        await self._lifecycle.part(leave=way == "leave")
        self._state.request = self._request_for(path)
        await self._open_anew()

    # ------------------------------------------------------------ what both have in common

    @property
    def _wishes_to_look(self) -> bool:
        request = self._state.request
        return request is not None and request.read_only

    def _request_for(self, path: Path, run: str | None = None) -> Request:
        """What opening a store means: as this one was opened, for reading only where that was
        said."""
        before = self._state.request
        return Request(
            str(path),
            device=self._state.config.device,
            allow_factory=() if before is None or run is None else before.given_factories,
            read_only=self._wishes_to_look,
            run=run,
        )

    async def _open_anew(self, *, only_looks: bool = False) -> None:
        screen = self._at.screen
        screen.show_tree()
        screen.paint_title()
        screen.paint_jobs()
        screen.paint_details()
        self._lifecycle.only_looks = only_looks
        await self._lifecycle.open_run()
        screen.refresh_bindings()

    async def _way(self, to: str, *, read_only_meanwhile: bool = False) -> str | None:
        """What becomes of live jobs, "leave" or "stop"; None where the person stays."""
        from explorer.tui.screens.message_dialogs import SwitchDialog

        steering = self._state.steering
        if steering is None or not steering.busy:
            return "stop"
        dialog = SwitchDialog(
            to,
            presenter.jobs(self._state).jobs,
            words(steering.alone.grants),
            may_leave=in_background.can_work_in_background(),
            read_only_meanwhile=read_only_meanwhile,
        )
        return await self._at.ask(dialog)
