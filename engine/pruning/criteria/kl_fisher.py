"""The KL criterion to second order: every unit from a few backward passes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.criteria.any_network.exact import Exact, blocks_to_score, groups_to_score
from engine.pruning.criteria.any_network.fisher import fisher_sums
from engine.pruning.criteria.any_network.gradients import differentiable
from engine.pruning.criteria.cifar_resnet.chain import chain_block_sums
from engine.pruning.scores import Scores
from engine.runtime.attention import attention_in_the_open
from engine.runtime.device import ranking
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task


@ranking()
def kl_fisher_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The mean KL of `kl_scores` for blocks, and for units ½ E_y[(a · ∂log p(y) / ∂a)²], which is
    the KL to second order in what a unit gives (Theis et al., 2018). Raises Cancelled."""
    groups = groups_to_score(structure, crossing)
    blocks = () if isinstance(model, CifarResNet) else blocks_to_score(structure)
    with attention_in_the_open():
        exact = Exact(model, blocks, structure, groups, task, items_N, execution)
        readers = differentiable(exact)
        estimated = fisher_sums(exact, readers, execution, monitor)
        # What is left: blocks, and groups through which no gradients can be taken.
        none_N1 = torch.zeros(len(items_N), 1, dtype=torch.bool)
        left = dict.fromkeys(estimated, none_N1)
        sums = exact.sums_over(torch.arange(len(items_N)), left, monitor)
    for path, sums_U in estimated.items():
        sums.units[path] += sums_U
    if isinstance(model, CifarResNet):
        sums.blocks = chain_block_sums(model, structure, task, items_N, execution, monitor)
    return sums.means()
