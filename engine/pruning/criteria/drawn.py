"""Importance that is drawn: what every other criterion has to beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.pruning.scores import Scores
from engine.runtime.generators import generator
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task


def random_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """A number between 0 and 1 for each block and each unit (Liu et al., 2022).

    The same for the same items: these are drawn by a run's seed, and so another seed ranks anew.
    Nothing is asked of network or items.
    """
    seed = items_N.tolist()
    groups = structure.groups if crossing else structure.free_groups

    def drawn(path: str, count: int) -> tuple[float, ...]:
        draw = generator("criterion", path, *seed)
        return tuple(torch.rand(count, generator=draw, dtype=torch.float64).tolist())

    return Scores(
        {block.path: drawn(f"block {block.path}", 1)[0] for block in structure.all_blocks()},
        {group.path: drawn(f"group {group.path}", group.num_units) for group in groups},
    )
