"""What a network is for, in the smallest interface that covers images, tables, sensors and text.

The one idea: whatever the data, a batch becomes rows (an image, a window of a sensor, a token), and
loss, accuracy, KL and CKA are functions of rows. What is drawn again for an interval are items (an
image, a sequence), for the rows of one are not independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from engine.contracts.networks import DataDescription
from engine.tasks.batch import Batch

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class Task(Protocol):
    """Data with what is asked about them. Tensors may lie on any device."""

    def describe(self) -> DataDescription:
        """What a run remembers: name, classes, how many items each split has, what a row is called,
        and a digest of everything that a result depends on."""

    def sample(self, per_class: int, seed: int) -> Tensor:
        """The numbers of the training items to score with: so many of each class, or in all where
        items have none. The same for the same seed."""

    def batches(self, split: Split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        """A split in batches of `size` items, in order and as they are; or the items of those
        numbers, in the order of the numbers. Asked by one thread at a time for each iterator."""

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        """An epoch: each training item once, in an order that is drawn, augmented where that makes
        sense, in batches of these sizes. Everything random comes from `draw`."""


def num_items(task: Task, split: Split) -> int:
    """How many items a split has."""
    about = task.describe()
    return {
        "train": about.num_train,
        "validation": about.num_validation,
        "test": about.num_test,
    }[split]


def of_items(task: Task, split: Split, items: Tensor) -> Batch:
    """The items of these numbers as one batch."""
    return next(task.batches(split, max(1, len(items)), items))


def examples(task: Task, count: int) -> Batch:
    """The first training items, on the CPU and in the usual order in memory, which some networks
    count on; where there are fewer, some of them again."""
    items = torch.arange(count) % num_items(task, "train")
    return of_items(task, "train", items).to(torch.device("cpu")).contiguous()
