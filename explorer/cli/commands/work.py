"""`work`: goes on with a store's plan in a process that nobody watches, until nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.contracts.marker import start_of
from engine.contracts.niceness import step_back
from explorer.cli.progress import Reporter
from explorer.executors.base import Executor
from explorer.executors.kinds import workers
from explorer.session import in_background
from explorer.session.allowance import words
from explorer.session.background_reports import (
    HANDED_OVER,
    JobReport,
    Report,
    forget_report,
    report_of,
    write_report,
)
from explorer.session.errors import MENDABLE
from explorer.session.events import Decided, SessionEvent, Stopped, WorkFailed
from explorer.session.named_files import store_path
from explorer.session.notifying import NotifyError, run_command
from explorer.session.open_run import Request, open_session
from explorer.session.plan import remove_plan
from explorer.session.policy import USER
from explorer.session.session import Session
from explorer.session.steering import Steering
from explorer.session.taking_up import PlanKeeper, take_up
from explorer.views.counting import counted
from explorer.views.live_run import LiveRun
from explorer.views.safe_text import safe
from store import StoreLockedError

REPORT_SECONDS = 1.0  # between two looks whether there is something new to report
ASKED = (in_background.HAND_OVER, in_background.STOP, signal.SIGTERM)


def work(
    store: Path,
    *,
    data: str | None,
    allow_factory: Sequence[str],
    wanted: str | None = None,
    notify: Sequence[str] = (),
) -> int:
    """Goes on with what is to be done, and has a program told of the end; the exit code."""
    request = Request(
        str(store_path(store)),
        overrides={} if data is None else {"data": data},
        allow_factory=allow_factory,
        run=wanted,
    )
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal that began this may go
    step_back()
    with Reporter() as reporter:
        ended = asyncio.run(InBackground(request, reporter).run())
        reporter.say(f"ended: {ended.ended}")
        if ended.ended != HANDED_OVER:
            try:
                run_command(notify, ended.store, f"{Path(ended.store).name}: {ended.ended}")
            except NotifyError as error:
                reporter.say(str(error))
    return 1 if ended.failed else 0


class InBackground:
    """The work on one store, and what is said of it."""

    def __init__(self, request: Request, reporter: Reporter) -> None:
        self._request, self._reporter = request, reporter
        self._live = LiveRun()
        self._asked: asyncio.Future[signal.Signals]  # by whom, since the store was opened last
        self._stopped: list[Stopped] = []
        self._failed: list[WorkFailed] = []
        self._decided: Counter[bool] = Counter()
        pid, store = os.getpid(), os.path.abspath(request.model)
        self._report = Report(store, pid, start_of(pid), time.time())

    async def run(self) -> Report:
        """Works until nothing is left, or somebody takes the store; its last word.

        Where it was handed over and nobody came (who asked had waited too long), it goes on.
        """
        loop = asyncio.get_running_loop()
        for number in ASKED:
            loop.add_signal_handler(number, self._hear, number)
        while True:
            self._asked = loop.create_future()
            ended = await self._once()
            store = Path(self._report.store)
            if ended.ended != HANDED_OVER or await in_background.is_taken_over(store):
                return ended

    async def _once(self) -> Report:
        try:
            session = await open_session(self._request, self._executor, self._listen)
        except StoreLockedError as error:
            # Whoever was quicker goes on with the plan; what they report stays.
            self._reporter.say(str(error))
            told = report_of(Path(self._report.store))
            if told is not None and told.pid == self._report.pid:
                forget_report(self._report.store)
            return replace(self._report, ended=HANDED_OVER)
        except MENDABLE as error:
            return self._say_last(f"cannot go on: {error}", failed=True)
        return await self._work(session)

    def _hear(self, number: signal.Signals) -> None:
        if not self._asked.done():
            self._asked.set_result(number)

    def _executor(self, spool: Path) -> Executor:
        in_background.mark(spool)  # from here on it can be asked: the store is this process's
        return workers(spool)

    def _listen(self, event: SessionEvent) -> None:
        self._live.on_event(event)
        self._reporter(event)
        match event:
            case Stopped():
                self._stopped.append(event)
            case WorkFailed():
                self._failed.append(event)
            case Decided():
                self._decided[event.actor != USER] += 1

    # ------------------------------------------------------------ the work

    async def _work(self, session: Session) -> Report:
        steering, why = Steering(session), ""
        try:
            keeper = take_up(steering)
            self._tell(steering)
            reporting = asyncio.create_task(self._tell_again_and_again(steering))
            idle = asyncio.create_task(steering.idle())
            both: list[asyncio.Future[Any]] = [idle, self._asked]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            reporting.cancel()
            why = await self._leave(steering, keeper, done=idle.done())
            idle.cancel()
        finally:
            await steering.stop()
            await session.close()
            in_background.unmark(session.artifacts.spool)
        if why == HANDED_OVER:
            forget_report(self._report.store)
            self._report = replace(self._report, jobs=())
            return replace(self._report, ended=why)
        return self._say_last(why, failed=bool(self._failed) and not self._asked.done())

    async def _leave(self, steering: Steering, keeper: PlanKeeper, *, done: bool) -> str:
        """Why it ends; what is to be done stays with the store, or is forgotten."""
        spool = steering.session.artifacts.spool
        if done:
            keeper.let_go()
            if not self._failed:  # else opening the store tries again
                remove_plan(spool)
            return self._why_done(steering)
        asked = self._asked.result()
        if asked == in_background.STOP:
            steering.decide_no_more()
            keeper.let_go()
            remove_plan(spool)
            return "stopped: what was finished is stored, the work under way was ended"
        keeper.let_go()
        if asked == in_background.HAND_OVER:
            await steering.session.executor.detach()
            return HANDED_OVER
        return f"ended by {asked.name}: opening the store goes on"

    def _why_done(self, steering: Steering) -> str:
        if self._failed:
            return "; ".join(dict.fromkeys(f"{e.node}: {e.cause}" for e in self._failed))
        waiting = [node.name for node in steering.waiting()]
        told = [f"{each.node}: {each.reason}" for each in self._stopped[-1:]]
        if waiting:
            told.append(f"{counted(len(waiting), 'decision')} for you, first at {waiting[0]}")
        return "; ".join(told) or "all is done"

    # ------------------------------------------------------------ what is said of it

    async def _tell_again_and_again(self, steering: Steering) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._tell(steering)

    def _tell(self, steering: Steering) -> None:
        jobs = tuple(
            JobReport(
                job.node, job.kind, job.state, job.phase,
                None if job.share is None else round(job.share, 3),
                None if job.eta_seconds is None else round(job.eta_seconds),
            )
            for job in self._live.jobs.values()
        )  # fmt: skip
        report = replace(
            self._report,
            run=steering.session.run.name,
            run_uuid=steering.session.run.uuid,
            jobs=jobs,
            left=words(steering.alone.grants),
            decided=self._decided[True],
        )
        self._report = report
        if report != report_of(Path(report.store)):  # also where another one's stood in between
            write_report(report)

    def _say_last(self, why: str, *, failed: bool = False) -> Report:
        last = replace(
            self._report,
            jobs=(),
            left="",
            decided=self._decided[True],
            ended=safe(why),
            ended_at=time.time(),
            failed=failed,
        )
        write_report(last)
        return last
