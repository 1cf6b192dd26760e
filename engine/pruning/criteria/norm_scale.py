"""Importance by the scale of the batch norm behind a unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.contracts.errors import CriterionError
from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.pruning.criteria.any_network.exact import blocks_to_score, groups_to_score
from engine.pruning.criteria.weights import indices_of, members_of
from engine.pruning.scores import Scores
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task

NAME = "bn-scale"


def bn_scale_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The mean |gamma| of the batch norms that a unit goes through, and of those of a block (Liu et
    al., 2017, network slimming). No items are looked at.

    Raises CriterionError where a group or a block that may go has no batch norm.
    """
    scales = {
        f"{path}.weight": module.weight.detach().abs().double().cpu()
        for path, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, _BatchNorm) and module.weight is not None
    }
    blocks = {}
    for block in blocks_to_score(structure):
        inside = [scale for name, scale in scales.items() if name.startswith(f"{block.path}.")]
        if not inside:
            raise _without_norm("block", block.path)
        blocks[block.path] = float(torch.cat(inside).mean())
    groups = groups_to_score(structure, crossing)
    return Scores(blocks, {group.path: _of_units(group, scales) for group in groups})


def _of_units(group: UnitGroup, scales: dict[str, Tensor]) -> tuple[float, ...]:
    found = [
        scales[member.tensor][indices_of(member, group.num_units)]
        for member in members_of(group)
        if member.tensor in scales
    ]
    if not found:
        raise _without_norm("group", group.path)
    return tuple(torch.cat(found, 1).mean(1).tolist())


def _without_norm(what: str, path: str) -> CriterionError:
    return CriterionError(
        f"--criterion {NAME} ranks by the scales of batch norms, and the {what} {path} has none; "
        "another one ranks any network, such as --criterion l2 or kl-fisher"
    )
