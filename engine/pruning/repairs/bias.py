"""Layers behind what goes that give what they gave on average (An et al., 2023: FLAP, Eq. 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.contracts.edits import LAYER, Edit
from engine.contracts.networks import Execution
from engine.pruning.repairs.behind import MATRICES, NORMS, Behind, layers_behind
from engine.pruning.repairs.passes import Moments, Passes, channels_last
from engine.pruning.repairs.repair import RepairError
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor
from engine.tasks import Task, examples

MOST_SCALED = 10.0  # a channel that has all but died is not blown up


def repair_bias(
    child: nn.Module,
    parent: nn.Module,
    edit: Edit,
    task: Task,
    items: Tensor,
    execution: Execution,
    monitor: Monitor,
) -> None:
    """Adds to each layer behind what its mean has lost: the mean of the inputs that go, times their
    weights, and what earlier layers that were mended still lack. The mean is then the parent's, and
    the squared error smaller by the square of what was added."""
    passes = Passes(child, parent, task, items, execution, monitor)
    _each(passes, edit, "bias", scale=False)


def repair_variance(
    child: nn.Module,
    parent: nn.Module,
    edit: Edit,
    task: Task,
    items: Tensor,
    execution: Execution,
    monitor: Monitor,
) -> None:
    """Scales and shifts each channel of the layers behind so that its mean and variance are the
    parent's (Jordan et al., 2022)."""
    passes = Passes(child, parent, task, items, execution, monitor)
    _each(passes, edit, "variance", scale=True)


def _each(passes: Passes, edit: Edit, name: str, scale: bool) -> None:
    example = examples(passes.task, 2).to(torch_device(passes.execution)).inputs
    kinds = (*MATRICES, *NORMS)
    found = layers_behind(edit, passes.child, passes.parent, example, kinds)
    mendable = [each for each in found if each.can_shift or scale]
    if not mendable and edit.structure != LAYER:
        behind = ", ".join(each.path for each in found) or "none that is plain"
        raise RepairError(
            f"--repair {name}: no layer behind what goes has a bias or a batch norm of its own "
            f"({behind}); use --repair least-squares, or none"
        )
    if not mendable:
        passes.monitor.note(
            f"--repair {name} finds no layer behind that block with a bias or a batch norm of its "
            "own; the candidate is left as it is"
        )
    for done, each in enumerate(mendable):
        _mend(each, passes, scale)
        passes.monitor.step("repairing", done + 1, len(mendable))


@torch.no_grad()
def _mend(behind: Behind, passes: Passes, scale: bool) -> None:
    now, before = Moments(), Moments()
    for of_child, of_parent in passes.both(behind.path):
        now.add(channels_last(of_child.y, behind.layer))
        before.add(channels_last(of_parent.y, behind.layer)[:, behind.kept_K])
    if not scale:
        behind.shift(before.mean_K - now.mean_K)
        return
    scale_K = (before.variance_K / now.variance_K).sqrt().clamp(1 / MOST_SCALED, MOST_SCALED)
    scale_K = torch.where(now.variance_K > 0, scale_K, torch.ones_like(scale_K))
    weight = behind.layer.get_parameter("weight")
    weight.mul_(scale_K.to(weight.dtype).reshape(-1, *[1] * (weight.dim() - 1)))
    # A bias of its own is not scaled with the weight: it is what the channel gives without inputs.
    bias = getattr(behind.layer, "bias", None)
    own_K = bias.double() if bias is not None else torch.zeros_like(now.mean_K)
    behind.shift(before.mean_K - (scale_K * (now.mean_K - own_K) + own_K))
