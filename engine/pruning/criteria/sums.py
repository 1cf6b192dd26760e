"""What the KL criteria share: the KL of outputs, sums of it over items, items by the chunk.

Shape legend: N items, B items of a chunk, U units, K classes, P (structure, item) pairs. "…" is
what an item's rows are along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from engine.contracts.structure import UnitGroup
from engine.pruning.scores import Scores
from engine.tasks import IGNORED, Batch, Task

CHUNK_ITEMS_GPU = 256


class Sums:
    """The KL of every structure that is scored, summed over `num_rows` rows."""

    def __init__(self, blocks: Iterable[str], groups: Iterable[UnitGroup]) -> None:
        self.blocks = dict.fromkeys(blocks, 0.0)
        self.units = {
            group.path: torch.zeros(group.num_units, dtype=torch.float64) for group in groups
        }
        self.num_rows = 0

    @property
    def num_structures(self) -> int:
        return len(self.blocks) + sum(len(sums_U) for sums_U in self.units.values())

    def add(self, others: Sums) -> None:
        """Adds the sums over other items."""
        self.num_rows += others.num_rows
        for path, total in others.blocks.items():
            self.blocks[path] += total
        for path, sums_U in others.units.items():
            self.units[path] += sums_U

    def means(self) -> Scores:
        count = self.num_rows
        return Scores(
            {path: total / count for path, total in self.blocks.items()},
            {path: tuple((sums_U / count).tolist()) for path, sums_U in self.units.items()},
        )


def chunks(task: Task, items_N: Tensor, size: int, device: torch.device) -> Iterator[Batch]:
    """Training items, `size` at a time, on the device; on a GPU more."""
    if device.type != "cpu":
        size = max(size, CHUNK_ITEMS_GPU)
    return (batch.to(device) for batch in task.batches("train", size, items_N))


def kl_of(pruned: Tensor, unpruned: Tensor, targets: Tensor) -> Tensor:
    """KL(pruned ‖ unpruned) of the softmax of logits (P, …, K), summed over the rows of each item:
    the places (P, …) at which something is asked."""
    log_q, log_p = pruned.log_softmax(-1), unpruned.log_softmax(-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    return summed_by_item(kl, targets)


def summed_by_item(values: Tensor, targets: Tensor) -> Tensor:
    """Values (P, …) of places, added up over those of each item at which something is asked."""
    if values.dim() == 1:
        return values
    return values.masked_fill(targets == IGNORED, 0).flatten(1).sum(1)
