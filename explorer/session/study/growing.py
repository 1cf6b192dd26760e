"""Growing a study: its runs one after the other, on one session's store and executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from engine.contracts.settings import all_settings
from explorer.executors.errors import JobFailedError
from explorer.session.another_run import begin_another, on_another_run
from explorer.session.documents import RunDocument
from explorer.session.errors import CandidatesFailedError
from explorer.session.known_run import with_settings
from explorer.session.search import grow_tree
from explorer.session.session import Session
from explorer.session.study import control
from explorer.session.study.runs import Cell, Control, StudyRuns


@dataclass
class Grown:
    """What became of a study: why ways were given up, by their names; the runs that ended before
    their last decision, with the reason; and the nodes at which searches ended."""

    failed: dict[str, str] = field(default_factory=dict)
    ended: dict[Cell, str] = field(default_factory=dict)
    tips: dict[Cell, str] = field(default_factory=dict)


Tell = Callable[[Cell | Control, int], object]  # what begins, and with which seed


async def grow(session: Session, runs: StudyRuns, tell: Tell) -> Grown:
    """All runs of a study, and the controls of each seed. What the store has is not done again.

    A way that this network refuses, or that fails, is given up; the others go on. Raises
    StoreError, and what looking for data raises.
    """
    grown = Grown()
    for seed in runs.seeds:
        for cell in (cell for cell in runs.cells if cell.seed == seed):
            if cell.way.name in grown.failed or _is_over(runs, cell):
                continue
            tell(cell, seed)
            try:
                await _grow_one(session, runs, cell, grown)
            except (CandidatesFailedError, JobFailedError) as error:
                grown.failed[cell.way.name] = str(error)
        for each in runs.controls:
            if each.name in grown.failed or runs.is_trained(each, seed):
                continue
            tell(each, seed)
            try:
                await _train_root(session, runs, each, seed)
            except JobFailedError as error:
                grown.failed[each.name] = str(error)
    return grown


def _is_over(runs: StudyRuns, cell: Cell) -> bool:
    """Whether nothing is to be done. Where a search of several branches ends, only it can say."""
    return runs.settings(cell).search.strategy == "greedy" and runs.is_finished(cell)


async def _grow_one(session: Session, runs: StudyRuns, cell: Cell, grown: Grown) -> None:
    outcome = await grow_tree(_session_of(session, runs, cell))
    grown.tips[cell] = outcome.tip.name
    if not runs.is_finished(cell):
        grown.ended[cell] = outcome.stopped


async def _train_root(session: Session, runs: StudyRuns, each: Control, seed: int) -> None:
    own = _session_of(session, runs, Cell(each.way, seed))
    await control.train(own, each.training, own.settings.search.iterations, seed)


def _session_of(session: Session, runs: StudyRuns, cell: Cell) -> Session:
    """A session on a cell's run, which begins where there is none."""
    wanted, known = runs.settings(cell), runs.document(cell)
    if known is None:
        return on_another_run(session, begin_another(session, wanted, cell.name), session.emit)
    return on_another_run(session, _stopping_as(session, known, wanted.search), session.emit)


def _stopping_as(session: Session, known: RunDocument, search: object) -> RunDocument:
    """A run with the reasons to stop that are wanted now."""
    names = [each.attribute for each in all_settings() if each.option.stops]
    stopping = {name: getattr(search, name) for name in names}
    settings = replace(known.settings, search=replace(known.settings.search, **stopping))
    return with_settings(session.store, known, settings)
