"""Labels, and which of them have become one: every index of every axis of every tensor has one."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

import torch
from torch import Tensor

Axis = tuple[str, int]  # a parameter or buffer by its name, and one of its axes


class Labels:
    """Union-find over labels, which are numbers from 1 on; 0 is "no label"."""

    def __init__(self, sizes: Iterable[tuple[Axis, int]]) -> None:
        self.starts: list[int] = []
        self.ranges: list[tuple[Axis, int, int]] = []  # axis, first label, how many
        start = 1
        for axis, size in sizes:
            self.starts.append(start)
            self.ranges.append((axis, start, size))
            start += size
        self.parents = torch.arange(start)
        self.frozen: dict[int, str] = {}  # label -> why it stays
        self.mixed: dict[int, str] = {}  # label -> why it is one with its neighbours
        self.num_unions = 0

    def axis_of(self, label: int) -> Axis:
        return self.ranges[bisect.bisect_right(self.starts, label) - 1][0]

    def find(self, labels: Tensor) -> Tensor:
        """The label that stands for each of these."""
        roots = self.parents[labels]
        while not torch.equal(higher := self.parents[roots], roots):
            roots = higher
        return roots

    def unite(self, a: Tensor, b: Tensor) -> None:
        """What stands at the same place becomes one; nothing becomes one with "no label"."""
        a, b = torch.broadcast_tensors(a, b)
        a, b = self.find(a.reshape(-1)), self.find(b.reshape(-1))
        differ = (a != b) & (a != 0) & (b != 0)
        if not bool(differ.any()):
            return
        coded = torch.unique(a[differ] * len(self.parents) + b[differ])
        a, b = coded // len(self.parents), coded % len(self.parents)
        if len(torch.unique(torch.cat([a, b]))) == 2 * len(coded):  # two by two
            self.parents[torch.maximum(a, b)] = torch.minimum(a, b)
            self.num_unions += len(coded)
        else:
            self._unite_chains(a.tolist(), b.tolist())

    def _unite_chains(self, a: list[int], b: list[int]) -> None:
        changed: dict[int, int] = {}

        def root(label: int) -> int:
            top = label
            while (up := changed.get(top)) is not None:
                top = up
            while (up := changed.get(label)) is not None:
                changed[label], label = top, up
            return top

        for one, other in zip(a, b, strict=True):
            one, other = root(one), root(other)
            if one != other:
                changed[max(one, other)] = min(one, other)
        self.parents[torch.tensor(list(changed))] = torch.tensor(list(changed.values()))
        self.num_unions += len(changed)

    def freeze(self, labels: Tensor, why: str) -> None:
        for label in torch.unique(labels).tolist():
            if label:
                self.frozen.setdefault(label, why)

    def note(self, labels: Tensor, why: str) -> None:
        """For people: why these are one."""
        for label in torch.unique(self.find(labels)).tolist():
            if label:
                self.mixed.setdefault(label, why)
