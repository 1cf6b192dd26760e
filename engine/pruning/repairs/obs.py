"""Layers that make up for the inputs they lose by the inverse Hessian of these (Hassibi and Stork,
1992, for several weights at once; Wang et al., 2023: SPA).

Shape legend: D inputs of a layer (channels and places of a kernel), G of them that go, K channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.contracts.edits import LAYER, Edit
from engine.contracts.networks import Execution
from engine.pruning.repairs.behind import Behind
from engine.pruning.repairs.least_squares import PART, change, damping_of, fitted_layers, rows_of
from engine.pruning.repairs.passes import Passes
from engine.runtime.progress import Monitor
from engine.tasks import Task


def repair_obs(
    child: nn.Module,
    parent: nn.Module,
    edit: Edit,
    task: Task,
    items: Tensor,
    execution: Execution,
    monitor: Monitor,
) -> None:
    """Changes the weights that stay by -[H⁻¹]ₛG [H⁻¹]GG⁻¹ w_G, H the second moments of the inputs
    of the parent's layer, what goes (G) and what stays (s).

    Where one layer loses inputs this is the least-squares solution; where several do, each is
    mended as if it were the only one. A block leaves no weight that loses inputs.
    """
    if edit.structure == LAYER:
        monitor.note(
            "--repair obs mends layers that lose inputs, and behind a block that goes none does; "
            "the candidate is left as it is"
        )
        return
    passes = Passes(child, parent, task, items, execution, monitor)
    found = fitted_layers(passes, edit, "obs")
    for done, each in enumerate(found):
        _make_up(each, passes)
        monitor.step("repairing", done + 1, len(found))


def _make_up(behind: Behind, passes: Passes) -> None:
    before = passes.parent.get_submodule(behind.path)
    weight = before.get_parameter("weight")[behind.kept_K].double()
    per_column = weight[0, 0].numel()
    num_columns = weight[0].numel()
    moments_DD = torch.zeros(())
    for call in passes.of_parent(behind.path):
        num_rows = call.y[0].numel() // len(before.get_parameter("weight"))  # of an item
        at_a_time = max(1, PART // max(1, num_columns * num_rows))
        for some in call.x.split(at_a_time):
            rows_MD = rows_of(some, before, behind.can_shift)
            moments_DD = moments_DD.to(rows_MD) + rows_MD.mT @ rows_MD
    goes_D = torch.zeros(len(moments_DD), dtype=torch.bool, device=moments_DD.device)
    for column in behind.gone:
        goes_D[column * per_column : (column + 1) * per_column] = True
    # The damping is that of the inputs that stay, so that one layer is fitted alike by both ways.
    damping = damping_of(moments_DD.diagonal()[~goes_D], behind.can_shift)
    damping_D = torch.full_like(moments_DD.diagonal(), float(damping[0]))
    damping_D[~goes_D] = damping
    inverse_DD = torch.linalg.inv(moments_DD + damping_D.diag())
    of_gone = torch.linalg.inv(inverse_DD[goes_D][:, goes_D])
    gone_GK = weight.flatten(1).mT[goes_D[:num_columns]]
    change(behind, -inverse_DD[~goes_D][:, goes_D] @ (of_gone @ gone_GK))
