"""Layers behind what goes that are fitted to what they gave (He et al., 2017, Eq. 2).

Shape legend: M rows (places of a map, tokens, items), D inputs of one (channels and places of a
kernel), K channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.edits import LAYER, Edit
from engine.contracts.networks import Execution
from engine.pruning.repairs.behind import Behind, layers_behind
from engine.pruning.repairs.passes import Passes, channels_last
from engine.pruning.repairs.repair import RepairError
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor
from engine.tasks import Task, examples

DAMPING = 1e-4  # of the mean square of an input, on changes of weights
MOST_INPUTS = 8192  # of a layer that is fitted: a matrix of half a gigabyte
PART = 2**22  # numbers of inputs that are looked at together


def repair_least_squares(
    child: nn.Module,
    parent: nn.Module,
    edit: Edit,
    task: Task,
    items: Tensor,
    execution: Execution,
    monitor: Monitor,
) -> None:
    """Changes the weights of each layer behind, and what it adds, so that on these items it gives
    what the parent's gives, but for the least squared error. It is a change of the weights that is
    damped, so the error never rises."""
    passes = Passes(child, parent, task, items, execution, monitor)
    found = fitted_layers(passes, edit, "least-squares")
    for done, each in enumerate(found):
        _fit(each, passes)
        monitor.step("repairing", done + 1, len(found))


def fitted_layers(passes: Passes, edit: Edit, name: str) -> list[Behind]:
    """The layers behind that can be fitted. Raises RepairError where units go and there are none;
    where a block goes, that is told."""
    example = examples(passes.task, 2).to(torch_device(passes.execution)).inputs
    found = layers_behind(edit, passes.child, passes.parent, example)
    fitted = [each for each in found if can_fit(each.layer)]
    if fitted:
        return fitted
    if edit.structure != LAYER:
        raise RepairError(
            f"--repair {name}: behind what goes is no dense layer or ungrouped convolution of at "
            f"most {MOST_INPUTS:,} inputs; use --repair bias or bn"
        )
    passes.monitor.note(
        f"--repair {name} finds no dense layer or convolution behind that block to fit; the "
        "candidate is left as it is"
    )
    return []


def can_fit(layer: nn.Module) -> bool:
    """Whether a layer is a matrix times rows of its inputs."""
    if not isinstance(layer, nn.Linear | nn.Conv2d):
        return False
    if isinstance(layer, nn.Conv2d) and (
        layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str)
    ):
        return False
    return layer.weight[0].numel() <= MOST_INPUTS


def rows_of(x: Tensor, layer: nn.Module, can_shift: bool) -> Tensor:
    """What a layer's matrix is multiplied with (M, D), a column of ones last where it can shift
    what it gives."""
    if isinstance(layer, nn.Conv2d):
        columns_BDL = F.unfold(
            x, layer.kernel_size, layer.dilation, layer.padding, layer.stride  # type: ignore[arg-type]
        )  # fmt: skip
        rows_MD = columns_BDL.mT.flatten(0, 1).double()
    else:
        rows_MD = x.flatten(0, -2).double()
    return torch.cat([rows_MD, rows_MD.new_ones(len(rows_MD), 1)], 1) if can_shift else rows_MD


def damping_of(squares_D: Tensor, can_shift: bool) -> Tensor:
    """What is added to the diagonal of the inputs' second moments; the shift is free."""
    of_weights = squares_D[:-1] if can_shift else squares_D
    damping_D = torch.full_like(squares_D, DAMPING * float(of_weights.mean()) + 1e-12)
    if can_shift:
        damping_D[-1] = 0
    return damping_D


@torch.no_grad()
def change(behind: Behind, change_DK: Tensor) -> None:
    """Adds to a layer's weights and, by the last row where it can shift, to what it gives."""
    weight = behind.layer.get_parameter("weight")
    of_weights = change_DK[:-1] if behind.can_shift else change_DK
    weight.add_(of_weights.mT.reshape(weight.shape).to(weight.dtype))
    if behind.can_shift:
        behind.shift(change_DK[-1])


def _fit(behind: Behind, passes: Passes) -> None:
    layer = behind.layer
    size = layer.get_parameter("weight")[0].numel() + behind.can_shift
    moments_DD = cross_DK = torch.zeros(())
    for of_child, of_parent in passes.both(behind.path):
        at_a_time = max(1, PART // max(1, size * of_child.y[0].numel() // len(behind.kept_K)))
        for start in range(0, len(of_child.x), at_a_time):
            some = slice(start, start + at_a_time)
            rows_MD = rows_of(of_child.x[some], layer, behind.can_shift)
            wanted_MK = channels_last(of_parent.y[some], layer)[:, behind.kept_K]
            lacking_MK = wanted_MK - channels_last(of_child.y[some], layer)
            moments_DD = moments_DD.to(rows_MD) + rows_MD.mT @ rows_MD
            cross_DK = cross_DK.to(rows_MD) + rows_MD.mT @ lacking_MK
    damped_DD = moments_DD + damping_of(moments_DD.diagonal(), behind.can_shift).diag()
    change(behind, torch.linalg.solve(damped_DD, cross_DK))
