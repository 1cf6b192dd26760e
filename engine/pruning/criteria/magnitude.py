"""Importance by the size of weights: of their absolute values, or of their squares."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.pruning.criteria.weights import making, weights_of, within
from engine.pruning.scores import Scores
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task

Size = Callable[[Tensor], Tensor]


def l1_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The mean absolute weight of a unit, over the weights that make it, and of a block's weights
    (Li et al., 2017).

    Within a convolution it ranks as the L1 norm does; the mean makes layers of different fan-in
    comparable. No items are looked at.
    """
    return _scores(model, structure, torch.abs, crossing)


def l2_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The root of the mean square weight of a unit, over the weights that make it, and of a block's
    weights (He et al., 2018, soft filter pruning).

    Within a convolution it ranks as the L2 norm does. No items are looked at.
    """
    found = _scores(model, structure, _squares, crossing)
    return Scores(
        {path: math.sqrt(value) for path, value in found.blocks.items()},
        {path: tuple(map(math.sqrt, values)) for path, values in found.units.items()},
    )


def _squares(weight: Tensor) -> Tensor:
    return weight.double().square()


def _scores(model: nn.Module, structure: NetworkStructure, size: Size, crossing: bool) -> Scores:
    weights = weights_of(model)
    groups = structure.groups if crossing else structure.free_groups
    return Scores(
        {block.path: _of_block(block.path, weights, size) for block in structure.all_blocks()},
        {group.path: tuple(_of_units(group, weights, size).tolist()) for group in groups},
    )


def _of_units(group: UnitGroup, weights: Mapping[str, Tensor], size: Size) -> Tensor:
    """The mean over all that makes a unit: its rows of weights, not the columns that read it."""
    sums_U = torch.zeros(group.num_units, dtype=torch.float64)
    count = 0
    for member, weight, ids_UW in making(group, weights):
        axes = [axis for axis in range(weight.dim()) if axis != member.axis]
        sums_C = size(weight).double().sum(axes)
        sums_U += sums_C[ids_UW].sum(1).cpu()
        count += member.width * weight.numel() // weight.shape[member.axis]
    return sums_U / max(count, 1)


def _of_block(path: str, weights: Mapping[str, Tensor], size: Size) -> float:
    inside = [size(weight).double().flatten() for weight in within(path, weights)]
    return float(torch.cat(inside).mean()) if inside else 0.0
