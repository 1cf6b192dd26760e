"""A study under way: what it takes is told first, then its runs are grown."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from engine.contracts.metrics import needed
from engine.contracts.networks import DataDescription
from engine.contracts.settings import Settings
from explorer.cli.commands.auto import Asking
from explorer.cli.progress import Reporter
from explorer.cli.sessions import held_in_background
from explorer.executors.kinds import workers
from explorer.session.offer import NotBegunError, Offer
from explorer.session.open_run import Request, open_session, store_of
from explorer.session.planning import subject_of
from explorer.session.session import Session
from explorer.session.speed import Speed, measure_speed
from explorer.session.study.growing import grow
from explorer.session.study.runs import (
    Cell,
    Control,
    StudyRuns,
    cells_of,
    controls_of,
    request_of,
    settings_of_cell,
)
from explorer.session.study.ways import Study
from explorer.views.plan_text import about
from explorer.views.study.plan import StudyTime
from explorer.views.study.table import StudyTold, study_told

ASK_FROM = 300.0  # seconds: what takes longer is not begun unasked


class StudyGrowing:
    """One start of a study."""

    def __init__(
        self, study: Study, request: Request, seeds: Sequence[int], reporter: Reporter, *,
        as_json: bool, yes: bool,
    ) -> None:  # fmt: skip
        self.study = study
        self.request = request
        self.seeds = seeds
        self.reporter = reporter
        self.asking = Asking(reporter, as_json, yes)
        self.time: StudyTime | None = None
        self.begun: list[tuple[str, int]] = []

    async def grow(self) -> StudyTold:
        """The study's table, once all of it is grown. Raises NotBegunError and what opening the
        model does."""
        first = request_of(self.request, self.study, Cell(self.study.ways[0], self.seeds[0]))
        with held_in_background(lambda: store_of(self.request)):
            session = await open_session(
                first, workers, self.reporter, self.asking.accept, self.asking.allow,
                self._plan_new,
            )  # fmt: skip
        try:
            root = session.document
            runs = StudyRuns(session.store, root, self.request, self.study, self.seeds)
            if self.time is None:
                await self._plan_again(session, runs)
            grown = await grow(session, runs, self._begins)
            return study_told(runs, grown)
        finally:
            await session.close()

    # ------------------------------------------------------------ what it takes

    async def _plan_new(self, offer: Offer) -> Settings:
        """Before anything is stored."""
        root, settings = offer.new.root, offer.new.settings
        cells = cells_of(self.study, self.seeds)
        of = {
            cell: settings_of_cell(
                self.request, self.study, cell, root.structure, len(root.data.classes)
            )
            for cell in cells
        }
        controls = controls_of(
            self.study.ways, [of[Cell(way, self.seeds[0])] for way in self.study.ways]
        )
        speed = await offer.measure(settings, self.reporter, lambda speed: None)
        missing = [(each, seed) for each in controls for seed in self.seeds]
        self._ask({cell: (found, 0) for cell, found in of.items()}, missing, root.data,
                  needed(root.metrics, "macs", "the root"), speed)  # fmt: skip
        return settings

    async def _plan_again(self, session: Session, runs: StudyRuns) -> None:
        """Of a study that was begun before: what is left of it."""
        cells = {cell: (runs.settings(cell), runs.decided(cell)) for cell in runs.cells}
        missing = [
            (each, seed)
            for each in runs.controls
            for seed in runs.seeds
            if not runs.is_trained(each, seed)
        ]
        unfinished = any(n < settings.search.iterations for settings, n in cells.values())
        if not unfinished and not missing:
            return
        root = session.node("R")
        subject = await subject_of(session.jobs, root)
        session.artifacts.path(subject.network.snapshot)
        speed = await measure_speed(subject, session.settings, session.executor, self.reporter)
        self._ask(cells, missing, session.document.data, needed(root.metrics, "macs", "R"), speed)

    def _ask(
        self,
        cells: Mapping[Cell, tuple[Settings, int]],
        controls: Sequence[tuple[Control, int]],
        data: DataDescription,
        macs: float,
        speed: Speed,
    ) -> None:
        """Says what is left to do. Raises NotBegunError where nobody wants so much."""
        self.time = StudyTime(cells, controls, data, macs, speed, time.monotonic)
        plan = self.time.plan
        self.reporter.say(f"study {self.study.name}: {plan.words()}")
        if self.asking.yes or plan.time.seconds < ASK_FROM:
            return
        if self.asking.as_json or not self.reporter.asks("Begin?"):
            raise NotBegunError(
                f"the study takes about {about(plan.time.seconds)} and was not begun; --yes begins "
                "it unasked, fewer --seeds or another --preset take less"
            )

    def _begins(self, what: Cell | Control, seed: int) -> None:
        """Says what begins, and how long all the rest takes."""
        name = what.way.name if isinstance(what, Cell) else what.name
        left = ""
        if self.time is not None and self.time.seconds:
            seconds = self.time.left(self.begun)
            left = f", {len(self.begun)} of {len(self.time.seconds)} done"
            left += f", about {about(seconds)} left"
        self.begun.append((name, seed))
        self.reporter.last_line.clear()  # nodes of another run have the same names
        self.reporter.say(f"── {name}, seed {seed}{left}")
