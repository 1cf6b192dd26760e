"""Text as a task: the next token of a row of tokens; an item is a sequence, a row a token."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.contracts.errors import DataError
from engine.contracts.networks import DataDescription
from engine.tasks.batch import Batch, Inputs
from engine.tasks.task import SPLITS, Split

SHARES = (0.9, 0.05, 0.05)  # of one row of tokens: for training, validation and test, in that order


class NextTokenTask:
    """Prediction of the next token, of one row of tokens a split, or of one that is cut in three.

    Sequences have `length` tokens and follow one another; in training they begin at random places.
    The network is called with token numbers (B, T), by the keyword `argument` where one is given,
    and gives logits (B, T, K).
    """

    def __init__(
        self,
        name: str,
        tokens: np.ndarray | Tensor | Mapping[Split, np.ndarray | Tensor],
        *,
        length: int,
        num_tokens: int,
        argument: str | None = None,
    ) -> None:
        rows = tokens if isinstance(tokens, Mapping) else _cut(torch.as_tensor(tokens))
        self._rows = {split: torch.as_tensor(rows[split]) for split in SPLITS}
        self._name, self._length, self._num_tokens = name, length, num_tokens
        self._argument = argument
        self._numbers: Tensor | None = None  # of the training sequences, where some are left out
        digest = hashlib.sha256(f"{length} {num_tokens}\n".encode())
        for split, row in self._rows.items():
            if row.dim() != 1 or len(row) <= length:
                raise DataError(
                    f"the {split} tokens of {name} have shape {tuple(row.shape)}; one row of more "
                    f"than {length} tokens, the length of a sequence, is needed"
                )
            digest.update(f"{split} {row.dtype} {len(row)}\n".encode())
            digest.update(row.contiguous().numpy().data)
        self._digest = digest.hexdigest()

    def describe(self) -> DataDescription:
        train, validation, test = (self._num_items(split) for split in SPLITS)
        return DataDescription(
            name=self._name,
            flips=False,
            digest=self._digest,
            num_train=train,
            num_validation=validation,
            num_test=test,
            row="token",
            num_classes=self._num_tokens,
        )

    def sample(self, per_class: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(self._num_items("train"), generator=generator)[:per_class]

    def batches(self, split: Split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        order = torch.arange(self._num_items(split)) if items is None else items
        for items_B in order.split(size):
            yield self._batch(split, self._places(split, items_B) * self._length, items_B)

    def train_labels(self) -> None:
        """Sequences have no class."""

    def only(self, items_N: Tensor) -> NextTokenTask:
        """The same task with these of the training sequences alone."""
        task = copy.copy(self)
        task._numbers = self._places("train", items_N)
        return task

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        order = torch.randperm(sum(sizes), generator=draw)
        last = len(self._rows["train"]) - self._length - 1
        for items_B in order.split(list(sizes)):
            shifts_B = torch.randint(self._length, (len(items_B),), generator=draw)
            starts_B = self._places("train", items_B) * self._length + shifts_B
            starts_B = starts_B.clamp_max(last)
            yield self._batch("train", starts_B, items_B)

    def _places(self, split: Split, items_B: Tensor) -> Tensor:
        """The numbers of sequences in their row, by those in this task."""
        if split != "train" or self._numbers is None:
            return items_B
        return self._numbers[items_B]

    def _num_items(self, split: Split) -> int:
        if split == "train" and self._numbers is not None:
            return len(self._numbers)
        return (len(self._rows[split]) - 1) // self._length

    def _batch(self, split: Split, starts_B: Tensor, items_B: Tensor) -> Batch:
        places_BT = starts_B[:, None] + torch.arange(self._length + 1)
        tokens_BT = self._rows[split][places_BT].long()
        ids_BT = tokens_BT[:, :-1]
        inputs: Inputs = ids_BT if self._argument is None else {self._argument: ids_BT}
        return Batch(inputs, tokens_BT[:, 1:], items_B)


def _cut(row: Tensor) -> dict[Split, Tensor]:
    """One after the other, so that no sequence is in two splits."""
    ends = [int(len(row) * share) for share in np.cumsum(SHARES[:2])]
    return dict(zip(SPLITS, row.tensor_split(ends), strict=True))
