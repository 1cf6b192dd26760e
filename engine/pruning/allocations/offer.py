"""What an allocation is asked, and what it answers: in which order groups give their units.

An answer is an order and no count: for so many units its beginning is taken. So whoever gives for a
small count gives at least as much for a larger one, which a search by bisection counts on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.contracts.networks import Execution, Scores
from engine.contracts.structure import Block, UnitGroup
from engine.runtime.generators import generator
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task

ITEMS_A_CLASS, MOST_ITEMS = 16, 64
Moments = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Probe:
    """A network and its data, for allocations that look at what it does with a few items."""

    model: nn.Module
    task: Task
    execution: Execution
    seed: int = 0
    monitor: Monitor = SILENT

    def items(self) -> Tensor:
        """The numbers of those training items (N), drawn from all classes."""
        items_N = self.task.sample(ITEMS_A_CLASS, self.seed)
        order = torch.randperm(len(items_N), generator=generator("allocation", self.seed))
        return items_N[order[:MOST_ITEMS]].sort().values


@dataclass(frozen=True, eq=False)
class Offer:
    """The groups that are offered, and how many units each may give at most (`rooms`); of those
    that a person keeps (`kept`) none. `shapes` are those of the network's tensors."""

    groups: tuple[UnitGroup, ...]
    scores: Scores
    rooms: Mapping[str, int]
    kept: frozenset[str] = frozenset()
    seed: int = 0
    blocks: tuple[Block, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    probe: Probe | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """Groups that give together, and when: at moment k each of them gives its k-th unit. Moments
    ascend; only their order counts, among those of all rows."""

    paths: tuple[str, ...]
    moments: Moments


class Allocation(Protocol):
    """Rows that name each group of an offer at most once, with at most `rooms` moments each; groups
    that are in none give nothing. Deterministic. Raises UserError where it does not apply."""

    def __call__(self, offer: Offer) -> list[Row]: ...


def evenly(group: UnitGroup, room: int, speed: float = 1.0) -> Moments:
    """The moments of a group that gives in proportion to its width, `speed` times as quickly."""
    return np.asarray((np.arange(1, room + 1) - 0.5) / (group.num_units * speed), np.float64)
