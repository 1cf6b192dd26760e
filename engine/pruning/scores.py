"""What a criterion says of a network's structures."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from engine.contracts.errors import ScoresError
from engine.contracts.networks import Execution, Scores
from engine.contracts.structure import NetworkStructure
from engine.runtime.progress import Monitor
from engine.tasks import Task

__all__ = ["Criterion", "Scores", "check_scores"]


class Criterion(Protocol):
    """Scores each block of a network that may go, with its parts, and each unit of its groups, by
    these training items; of groups that cross blocks only where they are asked for (`crossing`).
    Raises Cancelled."""

    def __call__(
        self,
        model: nn.Module,
        structure: NetworkStructure,
        task: Task,
        items_N: Tensor,
        execution: Execution,
        monitor: Monitor = ...,
        *,
        crossing: bool = False,
    ) -> Scores: ...


def check_scores(scores: Scores, structure: NetworkStructure, units: str = "inner") -> None:
    """Raises ScoresError where scores are not those of this network's structures."""
    known = {block.path for block in structure.all_blocks()}
    needed = {block.path for block in structure.blocks if block.stays is None}
    if not needed <= set(scores.blocks) <= known:
        raise ScoresError("scores of other blocks than the network's; score again")
    expected = {group.path: group.num_units for group in structure.groups}
    needed = {group.path for group in structure.offered_groups(units)}
    found = {path: len(values) for path, values in scores.units.items()}
    if not needed <= set(found) or any(expected.get(p) != n for p, n in found.items()):
        raise ScoresError("scores of other units than the network's; score again")
