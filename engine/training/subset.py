"""A share of the training items to recover on: of each class as much, drawn, or those that a
network finds hardest.

Shape legend: N training items, B of a batch, M rows, K classes.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import DataError
from engine.contracts.methods import name_in
from engine.contracts.methods.arguments import share_in
from engine.contracts.networks import Execution
from engine.measures.classifier import Classifier
from engine.runtime.device import torch_device
from engine.runtime.generators import generator
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task, examples, num_items


@runtime_checkable
class Divisible(Protocol):
    """A task that can do with a part of its training items."""

    def train_labels(self) -> Tensor | None:
        """The class of each training item (N,); None where items have none."""

    def only(self, items_N: Tensor) -> Task:
        """The same task with these training items alone, numbered anew in this order."""


def subset_of(
    task: Task,
    wanted: str | None,
    model: nn.Module,
    seed: int,
    execution: Execution,
    monitor: Monitor = SILENT,
) -> Task:
    """The task with the share of its training items that is wanted (`random:0.3`, `el2n:0.3`; None:
    all); `model` says which are hard. Raises DataError for a task that cannot be divided."""
    if wanted is None:
        return task
    if not isinstance(task, Divisible):
        raise DataError(
            "--train-subset: the data cannot be divided (docs/tasks.md); leave --train-subset out"
        )
    count = num_items(task, "train")
    labels = task.train_labels()
    labels_N = torch.zeros(count, dtype=torch.int64) if labels is None else labels.cpu()
    if name_in(wanted) == "el2n":
        hardness_N = el2n(model, task, execution, monitor)
    else:
        hardness_N = torch.rand(count, generator=generator(seed, "subset"), dtype=torch.float64)
    return task.only(most_of_each_class(hardness_N, labels_N, share_in(wanted)))


def most_of_each_class(hardness_N: Tensor, labels_N: Tensor, share: float) -> Tensor:
    """The numbers, ascending, of the items of the highest values: of each class this share, one at
    least. Of equal ones the first."""
    chosen = []
    for label in labels_N.unique():
        members = (labels_N == label).nonzero().flatten()
        count = max(1, round(share * len(members)))
        order = hardness_N[members].argsort(descending=True, stable=True)
        chosen.append(members[order[:count]])
    return torch.cat(chosen).sort().values


@torch.no_grad()
def el2n(model: nn.Module, task: Task, execution: Execution, monitor: Monitor = SILENT) -> Tensor:
    """By training item, the length of its error, softmax minus one-hot label (Paul et al., 2021);
    of an item with several rows their mean. Of one trained network, not of many early ones."""
    device = torch_device(execution)
    classifier = Classifier(model, examples(task, 2), device)
    count = num_items(task, "train")
    sums_N = torch.zeros(count, dtype=torch.float64)
    rows_N = torch.zeros(count, dtype=torch.float64)
    done = 0
    for batch in task.batches("train", classifier.batch_size):
        rows = classifier(batch.to(device))
        p_MK = rows.logits_MK.double().softmax(1)
        error_MK = p_MK - F.one_hot(rows.targets_M, p_MK.shape[1])
        items_M = rows.items_M.cpu()
        sums_N.index_add_(0, items_M, error_MK.norm(dim=1).cpu())
        rows_N.index_add_(0, items_M, torch.ones(len(items_M), dtype=torch.float64))
        done += len(batch)
        monitor.step("choosing items", done, count)
    return sums_N / rows_N.clamp_min(1)
