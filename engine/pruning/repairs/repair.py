"""What a repair is: numbers of a candidate that are mended before it recovers, without training."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError
from engine.contracts.networks import Execution
from engine.runtime.generators import generator
from engine.runtime.progress import Monitor
from engine.tasks import Task

MOST_ITEMS = 512  # training items that a repair looks at, as they are evaluated


class RepairError(EngineError):
    """A repair that has nothing to mend in a network."""


class Repair(Protocol):
    def __call__(
        self,
        child: nn.Module,
        parent: nn.Module,
        edit: Edit,
        task: Task,
        items: Tensor,
        execution: Execution,
        monitor: Monitor,
    ) -> None:
        """Mends `child`, which an explicit edit has made of `parent`, in place and by what these
        training items show; shapes stay, and so does the parent. Both are in evaluation mode, on
        the device that is to compute. Raises RepairError where nothing can be mended, Cancelled.
        """


def items_to_repair_with(task: Task, seed: int) -> Tensor:
    """Numbers of at most MOST_ITEMS training items, drawn from those that a task would score
    with."""
    sampled = task.sample(MOST_ITEMS, seed)
    order = torch.randperm(len(sampled), generator=generator(seed, "repair"))
    return sampled[order[:MOST_ITEMS]]
