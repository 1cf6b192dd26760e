"""Importance by the size of weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.pruning.scores import Scores
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task


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
    weights = {
        name: parameter.detach()
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if parameter.dim() > 1  # biases and norms are no weights
    }
    groups = structure.groups if crossing else structure.free_groups
    return Scores(
        {block.path: _of_block(block.path, weights) for block in structure.all_blocks()},
        {group.path: tuple(_of_units(group, weights).tolist()) for group in groups},
    )


def _of_units(group: UnitGroup, weights: Mapping[str, Tensor]) -> Tensor:
    """The mean over all that makes a unit: its rows of weights, not the columns that read it."""
    read = {(consumer.tensor, consumer.axis) for consumer in group.consumers}
    sums_U = torch.zeros(group.num_units, dtype=torch.float64)
    count = 0
    for member in group.members:
        weight = weights.get(member.tensor)
        if weight is None or (member.tensor, member.axis) in read:
            continue
        starts_U = torch.tensor([member.start(unit) for unit in range(group.num_units)])
        ids_UW = (starts_U[:, None] + torch.arange(member.width)).to(weight.device)
        axes = [axis for axis in range(weight.dim()) if axis != member.axis]
        sums_C = weight.abs().double().sum(axes)
        sums_U += sums_C[ids_UW].sum(1).cpu()
        count += member.width * weight.numel() // weight.shape[member.axis]
    return sums_U / max(count, 1)


def _of_block(path: str, weights: Mapping[str, Tensor]) -> float:
    named = (weight for name, weight in weights.items() if name.startswith(f"{path}."))
    inside = [weight.abs().double().flatten() for weight in named]
    return float(torch.cat(inside).mean()) if inside else 0.0
