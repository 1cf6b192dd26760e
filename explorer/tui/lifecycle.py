"""Opening a run behind the first paint, and leaving it in good order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from textual.timer import Timer

from engine.contracts.working_folder import remove_file
from explorer.executors.base import Executor
from explorer.executors.kinds import workers
from explorer.session import in_background
from explorer.session.accepting import DoubtfulRootError
from explorer.session.allowance import words
from explorer.session.another_run import on_another_run
from explorer.session.background_reports import run_in_background
from explorer.session.documents import RunDocument
from explorer.session.errors import MENDABLE
from explorer.session.in_background import NotInBackgroundError
from explorer.session.known_run import find_run
from explorer.session.named_files import is_store
from explorer.session.offer import NotBegunError, as_asked
from explorer.session.open_run import (
    Request,
    open_read_only,
    open_session,
    spool_of,
    store_of,
)
from explorer.session.plan import run_left
from explorer.session.session import Session
from explorer.session.steering import Steering
from explorer.session.taking_up import PlanKeeper, take_up
from explorer.tui import presenter, recents
from explorer.tui.context import Context
from explorer.tui.handing_over import is_handed_over
from explorer.tui.opening_questions import OpeningQuestions
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.counting import counted
from explorer.views.live_run import LiveRun
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode
from store import StoreLockedError, StoreNotWritableError, TreeStore

POLL_SECONDS = 1.0  # between two looks at a store that another process writes

MakeExecutor = Callable[[Path], Executor]  # from the spool
GoOn = Callable[[Path, Path, Sequence[str]], int]  # from store, spool and options, a process


class Lifecycle:
    """Opens what the app's state asks for; owns the session with its workers and its store."""

    def __init__(
        self,
        at: Context,
        make_executor: MakeExecutor = workers,
        go_on: GoOn = in_background.start,
        *,
        plans: bool = False,
    ) -> None:
        """`plans`: whether a person is shown what a new run takes before it begins."""
        self._at, self._state = at, at.state
        self._make_executor, self._plans = make_executor, plans
        self._go_on = go_on
        self._keeper: PlanKeeper | None = None
        self._from_start = False  # what is open was named on the start screen
        self._opening: asyncio.Task[Session] | None = None
        # Whether live jobs go on without the app; None: nobody was asked.
        self._detaching: bool | None = None
        self.only_looks = False  # what else is open of this store goes on in the background
        self._ending: Steering | None = None  # of a run that is being left for another one
        self._polling: Timer | None = None
        self._in_browser = False
        self._questions = OpeningQuestions(at)
        self.told_at_the_end = ""  # for whoever is at the terminal again

    # ------------------------------------------------------------ opening

    async def open_run(self) -> None:
        """Opens what was asked for, asking for what is missing. To be awaited in a worker."""
        at, state = self._at, self._state
        self._in_browser = at.app.is_web
        while state.session is None:
            if state.request is None:
                from explorer.tui.screens.start_screen import StartScreen  # not where it is named

                model = await at.ask(StartScreen(recents.recents()))
                if model is None:
                    at.app.exit()
                    return
                state.request, self._from_start = self._request_for(model), True
                at.screen.paint_title()
            try:
                self._attach(await self._open(state.request))
            except DoubtfulRootError:
                if self._questions.doubtful != "data":
                    at.app.exit()
                    return
                await self._questions.ask_for_data(
                    "The data that it was trained on:", state.request, "data"
                )
            except NotBegunError:
                if not self._from_start:
                    at.app.exit()
                    return
                state.request = None
                at.screen.paint_title()
            except MENDABLE as error:
                if not await self._questions.failed(state.request, error):
                    at.app.exit(return_code=1, message=str(error))
                    return
        self._begin(state.session)
        if self._plans and state.request is not None and state.request.model == "sample":
            from explorer.tui.actions.view import tour_once  # after the first paint

            await tour_once(at)

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
        emit = self._state.live.on_event
        if request.read_only or self.only_looks:
            return open_read_only(_store_named(request), emit, request.run)
        asking = self._questions
        plan = asking.plan if self._plans else as_asked
        answers = (asking.accept, asking.allow, plan)
        opening = open_session(request, self._make_executor, emit, *answers)
        self._opening = asyncio.ensure_future(opening)
        try:
            return await self._opening
        except (StoreLockedError, StoreNotWritableError) as error:
            path = _store_named(request)
            if not path.exists():  # who makes it has not stored its first run yet
                raise
            working = run_in_background(path)
            may_ask = isinstance(error, StoreLockedError) and not _is_another(request, working)
            if may_ask and await is_handed_over(self._at, path):
                left = request.run or run_left(spool_of(path)) or working or None
                return await self._open(replace(request, run=left))
            session = open_read_only(path, self._state.live.on_event, request.run)
            self._at.notify(f"{error}. Shown for reading; what is stored there appears", "warning")
            return session

    def _begin(self, session: Session) -> None:
        """The run is there: show it, and take up its work."""
        state, screen = self._state, self._at.screen
        state.runs = [run.id for run in session.store.runs()]
        state.show_live()
        screen.show_tree()
        screen.paint_title()
        screen.paint_jobs()
        self._remember(session)
        if not state.live.complete:
            self._at.start(self._read_the_rest(), group="reading", exclusive=True)
        if session.store.read_only:
            screen.refresh_bindings()  # the footer offers no key that would be refused
            self._polling = screen.set_interval(POLL_SECONDS, self._poll)
        elif state.steering is not None:
            self._keeper = take_up(state.steering)
            remove_file(in_background.background_log(session.artifacts.spool))  # it is here now

    def _poll(self) -> None:
        try:
            self._state.live.poll()
        except MENDABLE as error:
            self._at.screen.tell_once(str(error))

    async def _read_the_rest(self) -> None:
        """The nodes of a large tree behind its first screen."""
        live, screen = self._state.live, self._at.screen
        nodes, model = await asyncio.to_thread(_read_and_build, live)
        if live is not self._state.live:  # another run was opened meanwhile
            return
        newer = list(live.nodes.values())
        live.adopt(nodes)
        if self._state.moment is None:
            self._state.show_live()
            screen.show_tree(model)
            screen.query_one(TreeCanvas).update_nodes(newer)
        screen.paint_title()

    def _remember(self, session: Session) -> None:
        """Puts the store among those that the start screen offers."""
        count = session.store.num_nodes(session.run.id)
        best = self._state.shown.get(presenter.best_of_shown(self._state))
        if warning := recents.remember(session.store.path, session.run.name, count, best):
            self._at.notify(warning, "warning")

    # ------------------------------------------------------------ another run, another store

    async def on_run(self, document: RunDocument) -> None:
        """Goes on with another run of the store, by the same workers. What is under way ends first;
        what is left to be done of it waits until its run is opened again."""
        state, old = self._state, self._state.open_session
        await old.artifacts.factories.ask(document, self._questions.allow)
        live = LiveRun(state.live.device)
        live.engine_ready = state.live.engine_ready
        session = on_another_run(old, document, live.on_event)
        steering = Steering(session)
        live.attach(session.store, session.run)
        self._keep_what_is_left()
        self._ending, state.steering = state.steering, None  # no key steers it any more
        if self._ending is not None:
            await self._ending.stop()
        if old.executor.paused:
            old.executor.resume()
        self._forget(live)
        state.session, state.steering = session, steering
        state.selected = steering.tip().name
        self._begin(session)

    async def part(self, *, leave: bool = False) -> None:
        """Lets go of what is open, for something else: `leave`s its work to the background, or ends
        it, and what is left to be done waits until its run is opened again."""
        if self._state.session is not None:
            self._remember(self._state.session)
        self._keep_what_is_left()
        self._detaching = leave
        self._ending, self._state.steering = self._state.steering, None
        await self._release()
        self._forget()
        self._detaching = None
        if told := self.told_at_the_end:
            self._at.notify(told)
        self.told_at_the_end = ""

    def _keep_what_is_left(self) -> None:
        if self._keeper is not None:
            self._keeper.let_go()

    def _forget(self, live: LiveRun | None = None) -> None:
        """Nothing is open, nor shown any more."""
        for group in ("reading", "quitting"):
            self._at.app.workers.cancel_group(self._at.app, group)
        if self._polling is not None:
            self._polling.stop()
        self._keeper = self._ending = self._opening = self._polling = None
        self._from_start = False
        self._at.screen.forget_run()
        self._state.forget_run(live)

    # ------------------------------------------------------------ leaving

    async def ask_to_quit(self) -> None:
        """Quits; where jobs are live, as the person says. To be awaited in a worker."""
        from explorer.tui.screens.dialogs import QuitDialog

        steering = self._state.steering
        if steering is not None and steering.busy:
            detachable = steering.session.executor.detachable
            in_the_end = None if in_background.can_work_in_background() else detachable
            left = words(steering.alone.grants)
            dialog = QuitDialog(presenter.jobs(self._state).jobs, in_the_end, left)
            answer = await self._at.ask(dialog)
            if answer is None:
                return
            if answer == "wait":
                steering.decide_no_more()
                self._at.notify("quits when the work is done")
                await steering.idle()
            self._detaching = answer == "leave"
        if self._state.session is not None:
            self._remember(self._state.session)  # as it is now, not as it was when it was opened
        self._at.app.exit()

    async def release(self) -> None:
        """Ends work, worker and store in good order; also after a crash of the app."""
        steering = self._state.steering
        if self._detaching is None:  # a closed tab asks nothing, and ends no work
            self._detaching = self._in_browser and steering is not None and steering.busy
        await self._release()

    async def _release(self) -> None:
        """Jobs are left before their tasks end: a task that is cancelled ends its job."""
        session = await self._opened()
        if session is None:
            return
        go_on = (
            self._detaching and self._keeper is not None and in_background.can_work_in_background()
        )
        try:
            if self._keeper is not None and go_on:
                self._keeper.let_go()
            if self._detaching:
                self.told_at_the_end = _left_running(await session.executor.detach())
            if (steering := self._state.steering or self._ending) is not None:
                await steering.stop()
            if self._keeper is not None:
                self._keeper.let_go()
        finally:
            await session.close()
        if go_on:
            self._hand_on(session)

    def _hand_on(self, session: Session) -> None:
        """Has what is left to be done go on in a process of its own, which takes up the jobs."""
        request, store = self._state.request, session.store.path
        options = []
        if request is not None:
            options = [f"--allow-factory={each}" for each in request.given_factories]
        options.append(f"--run={session.run.uuid}")
        try:
            pid = self._go_on(store, session.artifacts.spool, options)
        except NotInBackgroundError as error:
            self.told_at_the_end += f"; nothing more is begun before that: {error}"
            return
        self.told_at_the_end = (
            f"the work goes on in the background (process {pid}); pe-explore jobs shows how far it "
            f"is, and opening {store.name} takes it over"
        )

    async def _opened(self) -> Session | None:
        """The session, also one that is being opened: that ends first, and leaves nothing."""
        if self._state.session is not None or self._opening is None:
            return self._state.session
        if not self._opening.cancelling():  # once: its end is not to be interrupted
            self._opening.cancel()
        with contextlib.suppress(asyncio.CancelledError, *MENDABLE):
            return await self._opening
        return None


def _read_and_build(live: LiveRun) -> tuple[dict[str, TreeNode], TreeModel]:
    nodes = live.read_all()
    return nodes, TreeModel(nodes.values())


def _is_another(request: Request, working: str) -> bool:
    """Whether another run was asked for than the one that is worked on in the background: that
    goes on there."""
    if request.run is None or not working:
        return False
    with TreeStore.open(_store_named(request), read_only=True) as store:
        return find_run(store, request.run).uuid != working


def _store_named(request: Request) -> Path:
    """The store that a request is about."""
    path = Path(request.model)
    return path if is_store(path) else store_of(request)


def _left_running(num: int) -> str:
    if num == 0:
        return "no job was left running; the next start goes on from what is stored"
    return f"{counted(num, 'job')} left running; the next start takes over what is finished"
