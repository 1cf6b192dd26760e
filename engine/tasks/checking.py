"""A person's task, checked: what it gives is input from outside, batch by batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain, shown
from engine.contracts.networks import DataDescription
from engine.tasks.batch import IGNORED, Batch, tensors_of
from engine.tasks.task import SPLITS, Split, Task, num_items

T = TypeVar("T")
MOST_CLASSES = 10**7
_COUNTS = tuple(f"num_{split}" for split in SPLITS)
_METHODS = ("describe", "sample", "batches", "training_batches")


class CheckedTask:
    """Passes on what a person's task gives, where it is as the engine needs it.

    Whatever their code raises, and all else that is wrong, is told as a DataError.
    """

    def __init__(self, task: Task, reference: str) -> None:
        self._task, self._reference = task, reference
        missing = [name for name in _METHODS if not callable(getattr(task, name, None))]
        if missing:
            raise DataError(
                f"{reference} gives {shown(task)}, which has no {missing[0]}(); return a task "
                "(docs/tasks.md)"
            )
        self._about = self._checked_description(self._their("describe", task.describe))

    def describe(self) -> DataDescription:
        return self._about

    def sample(self, per_class: int, seed: int) -> Tensor:
        items = self._their("sample", lambda: self._task.sample(per_class, seed))
        self._check_items("sample", items)
        if not len(items):
            raise self._error("sample", "gives no items; give some training items to score with")
        return items

    def batches(self, split: Split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        wanted = torch.arange(num_items(self, split)) if items is None else items
        expected = [len(part) for part in wanted.split(size)]
        return self._checked(
            "batches", lambda: self._task.batches(split, size, items), expected, wanted
        )

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        return self._checked(
            "training_batches", lambda: self._task.training_batches(sizes, draw), sizes, None
        )

    def train_labels(self) -> Tensor | None:
        """The class of each training item, where the task tells it. Raises DataError."""
        tell = getattr(self._task, "train_labels", None)
        if not callable(tell):
            return None
        labels = self._their("train_labels", tell)
        count = self._about.num_train
        if labels is not None and not (isinstance(labels, Tensor) and labels.shape == (count,)):
            raise self._error("train_labels", f"gives {shown(labels)}; give {count:,} classes")
        return labels

    def only(self, items_N: Tensor) -> CheckedTask:
        """The same task with these of the training items alone. Raises DataError."""
        only = getattr(self._task, "only", None)
        if not callable(only):
            raise DataError(
                f"the task {self._reference} has no only(items), by which it would train on a part "
                "of its items (--train-subset); add it (docs/tasks.md), or leave --train-subset out"
            )
        found = CheckedTask(self._their("only", lambda: only(items_N)), self._reference)
        if found.describe().num_train != len(items_N):
            raise self._error("only", f"gives a task of {found.describe().num_train:,} training "
                              f"items, and {len(items_N):,} were asked for")  # fmt: skip
        return found

    # ------------------------------------------------------------ checks

    def _checked_description(self, about: Any) -> DataDescription:
        if not isinstance(about, DataDescription):
            raise self._error("describe", f"gives {shown(about)}; give a DataDescription")
        for name in _COUNTS:
            count = getattr(about, name)
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise self._error("describe", f"says {name} is {_number(count)}; a split needs one")
        if not isinstance(about.digest, str) or not re.fullmatch(r"[\w-]{8,128}", about.digest):
            raise self._error(
                "describe",
                f"says the digest is {shown(about.digest)}; give the SHA-256 of all that a result "
                "depends on, as hexadecimal digits",
            )
        if not isinstance(about.row, str) or not re.fullmatch(r"[a-z][a-z -]{0,29}", about.row):
            raise self._error("describe", f"calls a row {shown(about.row)}; give a word: token")
        if not 2 <= num_classes(about) <= MOST_CLASSES:
            raise self._error(
                "describe",
                f"names {num_classes(about):,} classes; give their names as classes, or how many "
                "they are as num_classes",
            )
        return about

    def _checked(
        self,
        method: str,
        begin: Callable[[], Iterable[Batch]],
        sizes: Sequence[int],
        wanted: Tensor | None,
    ) -> Iterator[Batch]:
        found, done = iter(self._their(method, begin)), 0
        for number, size in enumerate(sizes):
            batch = self._checked_batch(
                method, self._their(method, lambda: next(found, None)), size
            )
            if wanted is not None and not torch.equal(
                batch.items_B.cpu(), wanted[done : done + size].cpu()
            ):
                raise self._error(method, f"gives other items in batch {number + 1} than are asked")
            done += size
            yield batch

    def _checked_batch(self, method: str, batch: Any, size: int) -> Batch:
        if batch is None:
            raise self._error(method, "ends too early; give every item once")
        if not isinstance(batch, Batch):
            raise self._error(method, f"gives {shown(batch)}; give a Batch(inputs, targets, items)")
        tensors = tensors_of(batch.inputs)
        if not tensors or not all(isinstance(each, Tensor) for each in tensors):
            raise self._error(method, f"gives inputs {shown(batch.inputs)}; give tensors")
        self._check_items(method, batch.items_B)
        for name, tensor in (("inputs", tensors[0]), ("targets", batch.targets),
                             ("items", batch.items_B)):  # fmt: skip
            length = len(tensor) if tensor.dim() else 0
            if length != size:
                raise self._error(
                    method, f"gives {name} of shape {_shape(tensor)} in a batch of {size} items"
                )
        if any(x.is_floating_point() and x.dtype != torch.float32 for x in tensors):
            raise self._error(method, f"gives inputs of {tensors[0].dtype}; give torch.float32")
        self._check_targets(method, batch.targets)
        return batch

    def _check_targets(self, method: str, targets: Tensor) -> None:
        if targets.dtype != torch.int64:
            raise self._error(method, f"gives targets of {targets.dtype}; give torch.int64")
        asked = targets if targets.dim() == 1 else targets[targets != IGNORED]
        count = num_classes(self._about)
        if not asked.numel():
            raise self._error(method, f"asks nothing in a batch: all targets are {IGNORED}")
        low, high = int(asked.min()), int(asked.max())
        if low < 0 or high >= count:
            raise self._error(
                method, f"gives targets from {low} to {high}; there are {count:,} classes, 0 to "
                f"{count - 1:,}"
            )  # fmt: skip

    def _check_items(self, method: str, items: Any) -> None:
        if not isinstance(items, Tensor) or items.dtype != torch.int64 or items.dim() != 1:
            raise self._error(method, f"gives items {shown(items)}; give their numbers, int64 (B,)")
        if len(items) and method != "batches":
            low, high, count = int(items.min()), int(items.max()), self._about.num_train
            if low < 0 or high >= count:
                raise self._error(
                    method, f"names items from {low} to {high}; there are {count:,} for training"
                )

    def _their(self, method: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except DataError:
            raise
        except Exception as error:  # it is their code: anything may happen in it
            words = plain((str(error).strip().splitlines() or [""])[0])
            raise self._error(method, f"fails ({type(error).__name__}: {words})") from error

    def _error(self, method: str, words: str) -> DataError:
        return DataError(f"{method}() of the task {self._reference} {words}")


def num_classes(about: DataDescription) -> int:
    """How many classes rows are told apart by."""
    return about.num_classes or len(about.classes)


def num_channels(about: DataDescription) -> int:
    """How many channels images have; a library's networks are made for three."""
    return about.image_shape[2] if len(about.image_shape) == 3 else 3


def _number(value: Any) -> str:
    is_short = isinstance(value, int | float) and -1e12 < value < 1e12
    return str(value) if is_short else shown(value)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "nothing"
