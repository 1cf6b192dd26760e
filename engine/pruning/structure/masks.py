"""What is silenced so that nothing reads some units: indices of what each consumer gets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.contracts.structure import Consumer, UnitGroup
from engine.pruning.explicit import indices_gone

Chosen = tuple[tuple[UnitGroup, tuple[int, ...]], ...]
Silenced = Sequence[tuple[Consumer, Tensor]]
Axis = tuple[str, int]


class Masks:
    """Masks of several groups at once, and those without one of the groups: only what reads that
    one is looked at again, for a network may have hundreds that all read each other."""

    def __init__(self, chosen: Chosen) -> None:
        self._own = [indices_gone([each]) for each in chosen]
        self._gone: dict[Axis, set[int]] = {}
        for own in self._own:
            for axis, indices in own.items():
                self._gone.setdefault(axis, set()).update(indices)
        consumers = dict.fromkeys(each for group, _ in chosen for each in group.consumers)
        self.all: Silenced = [
            (consumer, _indices(gone))
            for consumer in consumers
            if (gone := self._gone.get((consumer.tensor, consumer.axis)))
        ]

    def without(self, number: int) -> Silenced:
        """All but the mask of one group."""
        own = self._own[number]
        silenced = []
        for consumer, indices in self.all:
            axis = consumer.tensor, consumer.axis
            if axis in own:
                indices = _indices(self._gone[axis] - own[axis])
            if len(indices):
                silenced.append((consumer, indices))
        return silenced


def _indices(gone: set[int]) -> Tensor:
    return torch.tensor(sorted(gone), dtype=torch.int64)
