"""What is mended of a candidate before it is trained: every repair by its name.

Each looks at MOST_ITEMS training items at most, layer after layer, in passes that end at the layer:
about half a pass over the items for each layer that is mended, of parent and candidate.
"""

from __future__ import annotations

from torch import Tensor, nn

from engine.contracts.edits import Edit
from engine.contracts.networks import Execution
from engine.pruning.repairs.bias import repair_bias, repair_variance
from engine.pruning.repairs.bn import repair_bn
from engine.pruning.repairs.least_squares import repair_least_squares
from engine.pruning.repairs.obs import repair_obs
from engine.pruning.repairs.repair import MOST_ITEMS, Repair, RepairError, items_to_repair_with
from engine.runtime.progress import Monitor
from engine.tasks import Task

__all__ = ["MOST_ITEMS", "REPAIRS", "Repair", "RepairError", "items_to_repair_with"]


def _none(
    child: nn.Module,
    parent: nn.Module,
    edit: Edit,
    task: Task,
    items: Tensor,
    execution: Execution,
    monitor: Monitor,
) -> None:
    """Leaves everything as it is."""


REPAIRS: dict[str, Repair] = {
    "none": _none,
    "bn": repair_bn,
    "bias": repair_bias,
    "variance": repair_variance,
    "least-squares": repair_least_squares,
    "obs": repair_obs,
}
