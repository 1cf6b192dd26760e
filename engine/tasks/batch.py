"""A batch of items, whatever a network is called with.

Shape legend: B items. "…" is what an item's rows are along: nothing for an image, tokens of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

IGNORED = -100  # in targets: a place at which nothing is asked

# How a network is called: model(x), model(*tuple) or model(**mapping). Items are along axis 0.
Inputs = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]


def tensors_of(inputs: Inputs) -> tuple[Tensor, ...]:
    """The tensors that a network is called with, in order."""
    if isinstance(inputs, Tensor):
        return (inputs,)
    return tuple(inputs.values() if isinstance(inputs, Mapping) else inputs)


def mapped(inputs: Inputs, function: Callable[[Tensor], Tensor]) -> Inputs:
    """The same with another tensor for each."""
    if isinstance(inputs, Tensor):
        return function(inputs)
    if isinstance(inputs, Mapping):
        return {name: function(tensor) for name, tensor in inputs.items()}
    return tuple(map(function, inputs))


def taken(inputs: Inputs, indices: Tensor | slice) -> Inputs:
    """Some of the items."""
    return mapped(inputs, lambda tensor: tensor[indices])


def run_on(model: Callable[..., Any], inputs: Inputs) -> Any:
    """What a network gives."""
    args, kwargs = as_arguments(inputs)
    return model(*args, **kwargs)


def as_arguments(inputs: Inputs) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """What a network is called with, as Python passes it."""
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return tensors_of(inputs), {}


def num_rows_of(targets: Tensor) -> int:
    """At how many places something is asked; where each item is a row, nothing is looked at."""
    return len(targets) if targets.dim() == 1 else int((targets != IGNORED).sum())


@dataclass(frozen=True, eq=False)
class Batch:
    """Some items of a split: what a network gets, and the class that is right for each row.

    `targets` (B, …) are int64; the network's logits have their shape and the classes behind it.
    `items_B` are the items' numbers in their split.
    """

    inputs: Inputs
    targets: Tensor
    items_B: Tensor

    def __len__(self) -> int:
        return len(self.items_B)

    @property
    def num_rows(self) -> int:
        """How many answers are asked for."""
        return num_rows_of(self.targets)

    def to(self, device: torch.device) -> Batch:
        return Batch(
            mapped(self.inputs, lambda tensor: tensor.to(device, non_blocking=True)),
            self.targets.to(device, non_blocking=True),
            self.items_B,
        )

    def contiguous(self) -> Batch:
        """In the usual order in memory, which some networks count on."""
        return Batch(mapped(self.inputs, Tensor.contiguous), self.targets, self.items_B)
