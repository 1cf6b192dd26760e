"""Importance by how far a unit's weights are from those of the others of its group.

Shape legend: U units (or rows of a weight), D numbers that make one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.pruning.criteria.weights import rows_of, weights_of, within
from engine.pruning.scores import Scores
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task


def fpgm_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The sum of a unit's distances to the other units of its group (He et al., 2019, Eq. 5): least
    at the geometric median, where others do what it does.

    Divided by their number and the root of how many weights make a unit, which changes no order
    within a group and makes groups comparable. A block's is the mean of the same over the rows of
    its weights: how little these repeat each other. No items are looked at.
    """
    weights = weights_of(model)
    groups = structure.groups if crossing else structure.free_groups
    return Scores(
        {block.path: _of_block(block.path, weights) for block in structure.all_blocks()},
        {group.path: tuple(_distances(rows_of(group, weights)).tolist()) for group in groups},
    )


def _distances(rows_UD: Tensor) -> Tensor:
    """The mean distance of each row to the others, for a number of it (U)."""
    rows_UD = rows_UD.double()
    num_others = max(1, len(rows_UD) - 1)
    # Without the product of matrices, which leaves equal rows a little apart.
    apart_UU = torch.cdist(rows_UD, rows_UD, compute_mode="donot_use_mm_for_euclid_dist")
    return apart_UU.sum(1).cpu() / (num_others * math.sqrt(rows_UD.shape[1]))


def _of_block(path: str, weights: Mapping[str, Tensor]) -> float:
    each = [_distances(weight.flatten(1)) for weight in within(path, weights)]
    return float(torch.cat(each).mean()) if each else 0.0
