"""How criteria rank a network against the exact KL.

Shape legend: D draws of items, S structures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from engine.contracts.comparing import CompareCriteria, CriteriaCompared, CriterionCompared
from engine.contracts.errors import CriterionError
from engine.contracts.jobs import Places
from engine.contracts.networks import Execution, Scores
from engine.measures.rank_correlation import (
    estimate,
    least_in_common,
    spearman,
    spearman_within,
)
from engine.pruning.criteria.ranking import parts_of
from engine.pruning.structure import structure_of
from engine.runtime.generators import generator
from engine.runtime.progress import Monitor, Running
from engine.worker.own_criteria import criterion_of
from engine.worker.workbench import Workbench

REFERENCE = "kl"
PHASE = "comparing criteria"
STEPS = 1000  # of one criterion on one draw, as progress tells them

Score = Callable[[str, torch.Tensor, Monitor], Scores]


def compare(
    job: CompareCriteria,
    execution: Execution,
    bench: Workbench,
    places: Places,
    monitor: Monitor,
) -> CriteriaCompared:
    """The comparison of a job. Raises CriterionError, SettingsError, Cancelled."""
    criteria = {name: criterion_of(name, places.criterion) for name in (REFERENCE, *job.criteria)}
    task = bench.task_of(job.data, places, execution, monitor)
    model: nn.Module = bench.network(job.network, places.factory)
    structure = job.structure or structure_of(model)
    items_N = task.sample(job.num_items, job.seed)
    order = torch.randperm(len(items_N), generator=generator(job.seed, "compared items"))
    items_N = items_N[order[: job.num_items].sort().values]
    draws = parts_of(items_N, job.draws)

    def score(name: str, items_N: torch.Tensor, watch: Monitor) -> Scores:
        about = (model, structure, task, items_N, execution, watch)
        return criteria[name](*about, crossing=job.units == "all")

    others = [name for name in job.criteria if name != REFERENCE]
    telling = _Telling(monitor, (1 + len(others)) * len(draws))
    exact, seconds = _scored(REFERENCE, draws, score, telling)
    found = [CriterionCompared(REFERENCE, seconds=round(seconds, 3))]
    for name in others:
        try:
            each, seconds = _scored(name, draws, score, telling)
        except CriterionError as error:
            found.append(CriterionCompared(name, reason=str(error)))
            telling.skip_to((len(found)) * len(draws))
            continue
        found.append(_compared(name, exact, each, job.seed, seconds))
    return CriteriaCompared(
        REFERENCE,
        len(items_N),
        len(draws),
        sum(len(values) for values in exact[0].units.values()),
        len(exact[0].blocks),
        tuple(found),
    )


def _scored(
    name: str, draws: Sequence[torch.Tensor], score: Score, telling: _Telling
) -> tuple[list[Scores], float]:
    """The scores of each draw, and the seconds for all."""
    started = time.perf_counter()
    each = []
    for items_N in draws:
        each.append(score(name, items_N, telling))
        telling.next()
    return each, time.perf_counter() - started


def _compared(
    name: str, exact: Sequence[Scores], each: Sequence[Scores], seed: int, seconds: float
) -> CriterionCompared:
    # Blocks that change shapes are scored by some criteria only.
    paths = [path for path in exact[0].blocks if path in each[0].blocks]
    blocks = [
        np.array([[scores.blocks[path] for path in paths] for scores in of]) for of in (exact, each)
    ]
    units = [
        np.array([[v for path in exact[0].units for v in s.units[path]] for s in of])
        for of in (exact, each)
    ]
    sizes = [len(values) for values in exact[0].units.values()]
    estimated = partial(estimate, seed=seed)
    return CriterionCompared(
        name,
        units=estimated(spearman, *units),
        within_groups=estimated(spearman_within(sizes), *units),
        least_tenth=estimated(least_in_common, *units),
        blocks=estimated(spearman, *blocks),
        seconds=round(seconds, 3),
    )


class _Telling(Monitor):
    """Tells of all criteria on all draws as one piece of work, so that its end is foreseen."""

    def __init__(self, whole: Monitor, num_scored: int) -> None:
        super().__init__()
        self._whole, self._total = whole, num_scored * STEPS
        self._before = self._now = 0

    def check(self) -> None:
        self._whole.check()

    def next(self) -> None:
        """The next draw, or the next criterion."""
        self.skip_to(self._before // STEPS + 1)

    def skip_to(self, num_scored: int) -> None:
        """So many draws by a criterion are done."""
        self._before = num_scored * STEPS
        self._tell(self._before)

    def step(
        self, phase: str, done: int, total: int, running: Callable[[], Running] | None = None
    ) -> None:
        self._tell(self._before + STEPS * done // max(1, total))

    def _tell(self, at: int) -> None:
        self._now = max(self._now, at)  # a second phase of the same begins anew
        self._whole.step(PHASE, self._now, self._total)
