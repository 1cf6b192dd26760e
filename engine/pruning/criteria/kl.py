"""The KL criterion, exactly: what the outputs lose without each block and each unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.criteria.any_network.exact import exact_scores
from engine.pruning.criteria.cifar_resnet.chain import chain_scores
from engine.pruning.scores import Scores
from engine.runtime.device import ranking
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task


@ranking()
@torch.inference_mode()
def kl_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """KL(pruned ‖ unpruned) of the softmax outputs, averaged over the rows (Luo & Wu, 2020).

    Exact, by really silencing each structure: only what is behind it is computed again.
    """
    if isinstance(model, CifarResNet):
        return chain_scores(model, structure, task, items_N, execution, monitor)
    return exact_scores(model, structure, task, items_N, execution, monitor, crossing=crossing)
