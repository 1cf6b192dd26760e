"""How structures are ranked: by a criterion's mean score, or by the lower end of its interval.

Shape legend: P parts of the items, S structures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from engine.contracts.errors import CriterionError
from engine.contracts.events import EngineEvent
from engine.contracts.methods import CRITERIA as KNOWN
from engine.contracts.networks import Execution
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import NetworkStructure
from engine.pruning.scores import Criterion, Scores
from engine.runtime.generators import generator
from engine.runtime.progress import SILENT, Monitor, Running
from engine.tasks import Task

MOST_PARTS = 20  # of the items, each scored apart
FEWEST_ITEMS = 2  # of a part: of one there is no variance
FEWEST_SCORED = 2 * FEWEST_ITEMS  # an interval takes two parts
# Of Student's t, what 97.5 % are below, by the degrees of freedom from 1 on.
QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
)  # fmt: skip


def scores_of(
    scoring: ScoringSettings,
    criterion: Criterion,
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
) -> Scores:
    """What a run ranks by: a criterion, which is that of its settings, as these say. Raises
    CriterionError, Cancelled."""
    crossing = scoring.units == "all"
    if scoring.rank_by == "mean" or not looks_at_items(scoring.criterion):
        about = (model, structure, task, items_N, execution, monitor)
        return criterion(*about, crossing=crossing)
    parts = parts_of(items_N, MOST_PARTS)
    each = [
        criterion(
            model, structure, task, part, execution, _Part(monitor, n, len(parts)),
            crossing=crossing,
        )
        for n, part in enumerate(parts)
    ]  # fmt: skip
    return combined(each, lower_ends)


def looks_at_items(name: str) -> bool:
    """Whether other items would give other scores: of a criterion that looks at weights alone the
    interval has no width, and its lower end is the score."""
    return name not in KNOWN or "{items}" in KNOWN[name].looked_at


def parts_of(items_N: Tensor, most: int) -> list[Tensor]:
    """The items, dealt into parts of equal size as nearly as can be. Raises CriterionError where
    there are too few for two of them."""
    num_parts = min(most, len(items_N) // FEWEST_ITEMS)
    if num_parts < 2:
        raise CriterionError(
            f"an interval over images takes {FEWEST_SCORED} of them at least, and there are "
            f"{len(items_N)}; raise --criterion-samples, or leave --rank-by at mean"
        )
    order = torch.randperm(len(items_N), generator=generator("parts", len(items_N)))
    return [items_N[each.sort().values] for each in order.tensor_split(num_parts)]


def combined(each: list[Scores], how: Callable[[np.ndarray], np.ndarray]) -> Scores:
    """One score of several of each structure; `how` makes one (S) of each column of (P, S)."""
    blocks = how(np.array([list(scores.blocks.values()) for scores in each]))
    return Scores(
        dict(zip(each[0].blocks, blocks.tolist(), strict=True)),
        {
            path: tuple(how(np.array([scores.units[path] for scores in each])).tolist())
            for path in each[0].units
        },
    )


def lower_ends(values_PS: np.ndarray) -> np.ndarray:
    """The lower end of the 95 % interval of each structure's mean (S): by Student's t over the
    means of the parts, each of which is a draw of images of its own (batch means)."""
    num_parts = len(values_PS)
    error_S = values_PS.std(0, ddof=1) / np.sqrt(num_parts)
    lower: np.ndarray = values_PS.mean(0) - QUANTILES[num_parts - 2] * error_S
    return lower


class _Part(Monitor):
    """Tells of one part's progress as of that of all."""

    def __init__(self, whole: Monitor, number: int, num_parts: int) -> None:
        super().__init__()
        self._whole, self._number, self._num_parts = whole, number, num_parts

    def check(self) -> None:
        self._whole.check()

    def step(
        self, phase: str, done: int, total: int, running: Callable[[], Running] | None = None
    ) -> None:
        self._whole.step(phase, self._number * total + done, self._num_parts * total, running)

    def tell(self, event: EngineEvent) -> None:
        self._whole.tell(event)
