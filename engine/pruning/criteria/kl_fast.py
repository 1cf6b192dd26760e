"""The KL criterion, fast: an estimate for every unit, made exact where it matters."""

from __future__ import annotations

from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.criteria.any_network.fast import fast_scores
from engine.pruning.criteria.cifar_resnet.fast import fast_chain_scores
from engine.pruning.scores import Scores
from engine.runtime.device import ranking
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task


@ranking()
def kl_fast_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The mean KL of `kl_scores`, exact for blocks and nearly so in ranking for units."""
    if isinstance(model, CifarResNet):
        return fast_chain_scores(model, structure, task, items_N, execution, monitor)
    return fast_scores(model, structure, task, items_N, execution, monitor, crossing=crossing)
