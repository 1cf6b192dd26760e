"""Arrays with a class for each item, as a task: rows of a table, windows of sensors, embeddings."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.contracts.errors import DataError
from engine.contracts.networks import DataDescription
from engine.data.splits import hold_out_validation, sample_per_class
from engine.tasks.batch import Batch
from engine.tasks.task import SPLITS, Split

Array = np.ndarray | Tensor
_SPELLINGS: Mapping[Split, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "val", "valid"),
    "test": ("test",),
}


class ArrayTask:
    """Classification of what lies in arrays: `x_train`, `y_train`, `x_test`, `y_test`, and maybe
    `x_val`, `y_val`, which are cut off the training items where there are none.

    The network is called with x as it is, int64 or float32. Items are not augmented.
    """

    def __init__(
        self,
        name: str,
        arrays: Mapping[str, Array],
        *,
        row: str = "row",
        classes: Sequence[str] = (),
    ) -> None:
        self._name, self._row = name, row
        self._splits = _splits_of(name, arrays)
        num_classes = 1 + max(int(labels_N.max()) for _, labels_N in self._splits.values())
        self._classes = tuple(classes) or tuple(map(str, range(num_classes)))
        digest = hashlib.sha256()
        for split, (x_N, labels_N) in self._splits.items():
            for array in (x_N, labels_N):
                digest.update(f"{split} {array.dtype} {tuple(array.shape)}\n".encode())
                digest.update(array.contiguous().numpy().data)
        self._digest = digest.hexdigest()

    @staticmethod
    def read(path: str | os.PathLike[str], **about: str) -> ArrayTask:
        """The arrays of a .npz file, called by its name."""
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        name = os.path.splitext(os.path.basename(path))[0]
        return ArrayTask(name, arrays, **about)

    def describe(self) -> DataDescription:
        train, validation, test = (len(self._splits[split][1]) for split in SPLITS)
        return DataDescription(
            name=self._name,
            classes=self._classes,
            flips=False,
            digest=self._digest,
            num_train=train,
            num_validation=validation,
            num_test=test,
            row=self._row,
        )

    def sample(self, per_class: int, seed: int) -> Tensor:
        labels_N = self._splits["train"][1]
        return torch.from_numpy(sample_per_class(labels_N.numpy(), per_class, seed))

    def batches(self, split: Split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        x_N, labels_N = self._splits[split]
        order = torch.arange(len(labels_N)) if items is None else items
        for items_B in order.split(size):
            yield Batch(x_N[items_B], labels_N[items_B], items_B)

    def train_labels(self) -> Tensor:
        """The class of each training item."""
        return self._splits["train"][1]

    def only(self, items_N: Tensor) -> ArrayTask:
        """The same task with these of the training items alone."""
        task = copy.copy(self)
        x_N, labels_N = self._splits["train"]
        task._splits = {**self._splits, "train": (x_N[items_N], labels_N[items_N])}
        return task

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        order = torch.randperm(sum(sizes), generator=draw)
        x_N, labels_N = self._splits["train"]
        for items_B in order.split(list(sizes)):
            yield Batch(x_N[items_B], labels_N[items_B], items_B)


def _splits_of(name: str, arrays: Mapping[str, Array]) -> dict[Split, tuple[Tensor, Tensor]]:
    found: dict[Split, tuple[Tensor, Tensor]] = {}
    for split, spellings in _SPELLINGS.items():
        for spelling in spellings:
            keys = f"x_{spelling}", f"y_{spelling}"
            if all(key in arrays for key in keys):
                x_N, labels_N = (torch.as_tensor(arrays[key]) for key in keys)
                if len(x_N) != len(labels_N):
                    raise DataError(
                        f"{keys[0]} of {name} has {len(x_N):,} items and {keys[1]} "
                        f"{len(labels_N):,}; as many are needed"
                    )
                if not len(labels_N):
                    raise DataError(f"{keys[0]} of {name} has no items; give some")
                found[split] = _as_input(x_N), labels_N.long()
    for split in ("train", "test"):
        if split not in found:
            raise DataError(
                f"{name} has no x_{split} and y_{split} (there are {', '.join(arrays) or 'none'}); "
                "add them"
            )
    if "validation" not in found:
        x_N, labels_N = found["train"]
        keep, held_out = _apart_from_validation(name, labels_N)
        found["train"] = x_N[keep], labels_N[keep]
        found["validation"] = x_N[held_out], labels_N[held_out]
    return {split: found[split] for split in SPLITS}


def _apart_from_validation(name: str, labels_N: Tensor) -> tuple[Tensor, Tensor]:
    """The training and the validation items. Raises DataError where a class has none left to train
    on."""
    keep, held_out = map(torch.from_numpy, hold_out_validation(labels_N.numpy()))
    bare = sorted(set(labels_N.tolist()) - set(labels_N[keep].tolist()))
    if bare:
        count = int((labels_N == bare[0]).sum())
        others = f" (and of {len(bare) - 1:,} more classes)" if len(bare) > 1 else ""
        raise DataError(
            f"of {name}, {count:,} in y_train {'is' if count == 1 else 'are'} of class {bare[0]}, "
            f"and none are left{others} when validation items are taken out of them; add some, or "
            "give x_val and y_val"
        )
    return keep, held_out


def _as_input(x_N: Tensor) -> Tensor:
    return x_N.float() if x_N.is_floating_point() else x_N.long()
