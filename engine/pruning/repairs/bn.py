"""Batch norms whose running statistics are taken anew (Li et al., 2020: EagleEye)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.edits import Edit
from engine.contracts.networks import Execution
from engine.pruning.repairs.passes import Moments, Passes, channels_last
from engine.pruning.repairs.repair import RepairError
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor
from engine.tasks import Task, examples
from engine.tasks.batch import run_on

_Norm = nn.modules.batchnorm._BatchNorm


def repair_bn(
    child: nn.Module,
    parent: nn.Module,
    edit: Edit,
    task: Task,
    items: Tensor,
    execution: Execution,
    monitor: Monitor,
) -> None:
    """Gives each batch norm the exact mean and variance of what reaches it over all items, one norm
    after the other: what one of them changes, those behind it see."""
    paths = _in_order(child, task, execution)
    if not paths:
        raise RepairError(
            "--repair bn: the network has no batch norm that keeps statistics; use --repair bias, "
            "variance or least-squares"
        )
    passes = Passes(child, parent, task, items, execution, monitor)
    for done, path in enumerate(paths):
        norm = child.get_submodule(path)
        assert isinstance(norm, _Norm)
        moments = Moments()
        for call in passes.of_child(path):
            moments.add(channels_last(call.x, norm))
        assert norm.running_mean is not None and norm.running_var is not None
        count = moments.count
        norm.running_mean.copy_(moments.mean_K)
        norm.running_var.copy_(moments.variance_K * count / max(1, count - 1))  # as torch keeps it
        monitor.step("repairing", done + 1, len(paths))


@torch.no_grad()
def _in_order(model: nn.Module, task: Task, execution: Execution) -> list[str]:
    """The batch norms with statistics, in the order in which they are first called."""
    found: dict[str, None] = {}
    handles = []
    for path, module in model.named_modules():
        if isinstance(module, _Norm) and module.running_mean is not None:

            def see(_: nn.Module, args: tuple[Any, ...], path: str = path) -> None:
                found.setdefault(path)

            handles.append(module.register_forward_pre_hook(see))
    try:
        run_on(model, examples(task, 2).to(torch_device(execution)).inputs)
    finally:
        for handle in handles:
            handle.remove()
    return list(found)
