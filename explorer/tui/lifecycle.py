"""Opening a run behind the first paint, and leaving it in good order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from textual import work

from engine.contracts.errors import DataNotNamedError
from explorer.executors.errors import JobFailedError
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.worker_pool import NUM_SLOTS, WorkerPool
from explorer.session.errors import MENDABLE
from explorer.session.open_run import Request, default_store, is_store, open_read_only, open_session
from explorer.session.steering import Steering
from explorer.tui import recents
from explorer.tui.presenter import PAINT_SECONDS, Painting
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode
from store import StoreLockedError

POLL_SECONDS = 1.0  # between two looks at a store that another process writes


class Startup(Painting):
    """The half of the app that opens and closes."""

    executor: WorkerPool | None = None
    leaving = False  # live jobs go on without the app

    @work(exclusive=True, group="opening")
    async def open_run(self) -> None:
        """Opens what was asked for, asking for what is missing."""
        from explorer.tui.screens.start_screen import StartScreen

        self.set_interval(PAINT_SECONDS, self.paint)
        while self.session is None:
            if self.request is None:
                model = await self.push_screen_wait(StartScreen(recents.recents()))
                if model is None:
                    self.exit()
                    return
                self.request = self._request_for(model)
                self.paint_title()
            try:
                await self._open(self.request)
            except MENDABLE as error:
                if not await self._opening_failed(self.request, error):
                    self.exit(return_code=1, message=str(error))
                    return
        self._begin()

    def _request_for(self, model: str) -> Request:
        """What opening a path means; a store keeps the settings that its run began with."""
        fixed = is_store(Path(model))
        overrides = {} if fixed else self.config.overrides
        return Request(model, device=self.config.device, overrides=overrides)

    async def _open(self, request: Request) -> None:
        try:
            self.session = await open_session(request, self._make_executor, self.live.on_event)
        except StoreLockedError as error:
            path = Path(request.model)
            if not is_store(path):
                path = request.store or default_store(request.model)
            self.session = open_read_only(path, self.live.on_event)
            self.tell(f"{error} Shown for reading; it follows what is stored there", "warning")

    def _make_executor(self, spool: Path) -> WorkerPool:
        if self.executor is None:
            self.executor = WorkerPool(spool, num_slots=NUM_SLOTS, log=spool / "worker.log")
        return self.executor

    async def _opening_failed(self, request: Request, error: Exception) -> bool:
        """Asks what to do; True to try again."""
        from explorer.tui.screens.dialogs import DataDialog

        if isinstance(error, JobFailedError) and error.error == DataNotNamedError.code:
            data = await self.push_screen_wait(DataDialog(str(error), ()))
            if data is not None:
                self.request = replace(request, overrides={**request.overrides, "data": data})
            return data is not None
        again = await self.complain(
            f"Cannot open {request.model}", str(error), "mend it and try again, or quit", retry=True
        )
        return again

    def _begin(self) -> None:
        """The run is there: show it, and take up its work."""
        assert self.session is not None
        session = self.session
        self.steering = Steering(session)
        self.live.attach(session.store, session.run)
        self.show_live()
        self.selected = self.steering.tip().name
        self.show_tree()
        self.paint_title()
        self.paint_jobs()
        self._remember()
        if not self.live.complete:
            self.read_the_rest()
        if session.store.read_only:
            self.set_interval(POLL_SECONDS, self.live.poll)
        else:
            self.steering.resume()

    @work(exclusive=True, group="reading")
    async def read_the_rest(self) -> None:
        """The nodes of a large tree behind its first screen."""
        nodes, model = await asyncio.to_thread(self._read_and_build)
        newer = list(self.live.nodes.values())
        self.live.adopt(nodes)
        if self.moment is None:
            self.show_live()
            self.show_tree(model)
            self.query_one(TreeCanvas).update_nodes(newer)
        self.paint_title()

    def _read_and_build(self) -> tuple[dict[str, TreeNode], TreeModel]:
        nodes = self.live.read_all()
        model = TreeModel(nodes.values())
        return nodes, model

    def _remember(self) -> None:
        assert self.session is not None
        count = self.session.store.num_nodes(self.session.run.id)
        star = self.shown.get(self.best_name())
        warning = recents.remember(self.session.store.path, self.session.run.name, count, star)
        if warning:
            self.tell(warning, "warning")

    # ------------------------------------------------------------ leaving

    @work(exclusive=True, group="quitting")
    async def ask_to_quit(self) -> None:
        """Quits; where jobs are live, as the person says."""
        from explorer.tui.screens.dialogs import QuitDialog

        steering = self.steering
        if steering is not None and steering.busy:
            answer = await self.push_screen_wait(QuitDialog(self.jobs()))
            if answer is None:
                return
            if answer == "wait":
                steering.alone = 0
                self.tell("quits when the work is done")
                await steering.idle()
            self.leaving = answer == "leave"
        self.exit()

    async def release(self) -> None:
        """Ends work, worker and store in good order; also after a crash of the app.

        Jobs are left before their tasks end: a task that is cancelled ends its job.
        """
        try:
            if self.leaving and self.executor is not None:
                await self.executor.detach()
            if self.steering is not None:
                await self.steering.stop()
        finally:
            if self.executor is not None:
                await self.executor.close()
            if self.session is not None:
                self.session.store.close()
            if self.executor is not None:
                await asyncio.to_thread(clear_spool, self.executor.spool)
