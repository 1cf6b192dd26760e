"""Opening a run behind the first paint, and leaving it in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.contracts.errors import DataNotNamedError
from explorer.executors.errors import JobFailedError
from explorer.executors.kinds import workers
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.worker_pool import WorkerPool
from explorer.session.errors import MENDABLE
from explorer.session.open_run import Request, default_store, is_store, open_read_only, open_session
from explorer.session.session import Session
from explorer.session.steering import Steering
from explorer.tui import presenter, recents
from explorer.tui.context import Context
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode
from store import StoreLockedError

POLL_SECONDS = 1.0  # between two looks at a store that another process writes

MakeExecutor = Callable[[Path], WorkerPool]  # from the spool


class Lifecycle:
    """Opens what the app's state asks for; owns the workers, the session and its store."""

    def __init__(self, at: Context, make_executor: MakeExecutor = workers) -> None:
        self._at, self._state = at, at.state
        self._make_executor = make_executor
        self._executor: WorkerPool | None = None
        self._detaching = False  # live jobs go on without the app

    # ------------------------------------------------------------ opening

    async def open_run(self) -> None:
        """Opens what was asked for, asking for what is missing. To be awaited in a worker."""
        from explorer.tui.screens.start_screen import StartScreen  # after the first paint

        at, state = self._at, self._state
        while state.session is None:
            if state.request is None:
                model = await at.ask(StartScreen(recents.recents()))
                if model is None:
                    at.app.exit()
                    return
                state.request = self._request_for(model)
                at.screen.paint_title()
            try:
                self._attach(await self._open(state.request))
            except MENDABLE as error:
                if not await self._opening_failed(state.request, error):
                    at.app.exit(return_code=1, message=str(error))
                    return
        self._begin(state.session)

    def _attach(self, session: Session) -> None:
        """Reads the run for the first screen. Its store is closed where that cannot be done."""
        state = self._state
        try:
            steering = Steering(session)
            state.live.attach(session.store, session.run)
            state.selected = steering.tip().name
        except BaseException:
            session.store.close()
            raise
        state.session, state.steering = session, steering

    def _request_for(self, model: str) -> Request:
        """What opening a path means; a store keeps the settings that its run began with."""
        config, fixed = self._state.config, is_store(Path(model))
        return Request(model, device=config.device, overrides={} if fixed else config.overrides)

    async def _open(self, request: Request) -> Session:
        try:
            return await open_session(request, self._executor_of, self._state.live.on_event)
        except StoreLockedError as error:
            path = Path(request.model)
            if not is_store(path):
                path = request.store or default_store(request.model)
            session = open_read_only(path, self._state.live.on_event)
            self._at.notify(
                f"{error} Shown for reading; it follows what is stored there", "warning"
            )
            return session

    def _executor_of(self, spool: Path) -> WorkerPool:
        """The workers, started once however often it is tried to open something."""
        if self._executor is None:
            self._executor = self._make_executor(spool)
        return self._executor

    async def _opening_failed(self, request: Request, error: Exception) -> bool:
        """Asks what to do; True to try again."""
        from explorer.tui.screens.dialogs import DataDialog

        if isinstance(error, JobFailedError) and error.error == DataNotNamedError.code:
            data = await self._at.ask(DataDialog(str(error), ()))
            if data is not None:
                overrides = {**request.overrides, "data": data}
                self._state.request = replace(request, overrides=overrides)
            return data is not None
        return await self._at.show_error(
            f"Cannot open {request.model}", str(error), "mend it and try again, or quit", retry=True
        )

    def _begin(self, session: Session) -> None:
        """The run is there: show it, and take up its work."""
        state, screen = self._state, self._at.screen
        state.show_live()
        screen.show_tree()
        screen.paint_title()
        screen.paint_jobs()
        self._remember(session)
        if not state.live.complete:
            self._at.start(self._read_the_rest(), group="reading", exclusive=True)
        if session.store.read_only:
            screen.set_interval(POLL_SECONDS, self._poll)
        elif state.steering is not None:
            state.steering.resume()

    def _poll(self) -> None:
        try:
            self._state.live.poll()
        except MENDABLE as error:
            self._at.screen.tell_once(str(error))

    async def _read_the_rest(self) -> None:
        """The nodes of a large tree behind its first screen."""
        live, screen = self._state.live, self._at.screen
        nodes, model = await asyncio.to_thread(self._read_and_build)
        newer = list(live.nodes.values())
        live.adopt(nodes)
        if self._state.moment is None:
            self._state.show_live()
            screen.show_tree(model)
            screen.query_one(TreeCanvas).update_nodes(newer)
        screen.paint_title()

    def _read_and_build(self) -> tuple[dict[str, TreeNode], TreeModel]:
        nodes = self._state.live.read_all()
        return nodes, TreeModel(nodes.values())

    def _remember(self, session: Session) -> None:
        """Puts the store among those that the start screen offers."""
        count = session.store.num_nodes(session.run.id)
        best = self._state.shown.get(presenter.best_of_shown(self._state))
        if warning := recents.remember(session.store.path, session.run.name, count, best):
            self._at.notify(warning, "warning")

    # ------------------------------------------------------------ leaving

    async def ask_to_quit(self) -> None:
        """Quits; where jobs are live, as the person says. To be awaited in a worker."""
        from explorer.tui.screens.dialogs import QuitDialog

        steering = self._state.steering
        if steering is not None and steering.busy:
            answer = await self._at.ask(QuitDialog(presenter.jobs(self._state).jobs))
            if answer is None:
                return
            if answer == "wait":
                steering.alone = 0
                self._at.notify("quits when the work is done")
                await steering.idle()
            self._detaching = answer == "leave"
        self._at.app.exit()

    async def release(self) -> None:
        """Ends work, worker and store in good order; also after a crash of the app.

        Jobs are left before their tasks end: a task that is cancelled ends its job.
        """
        state, executor = self._state, self._executor
        try:
            if self._detaching and executor is not None:
                await executor.detach()
            if state.steering is not None:
                await state.steering.stop()
        finally:
            if executor is not None:
                await executor.close()
            if state.session is not None:
                state.session.store.close()
            if executor is not None:
                await asyncio.to_thread(clear_spool, executor.spool)
