"""How many units go of each group, when so many go in all: the beginning of an allocation's order.

With `--round-to R` groups give whole steps, such that a multiple of R stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.pruning.allocations.offer import Row

Ints = NDArray[np.int64]


class Taking:
    """An order that is asked for many counts.

    What is given comes as near to the count as whole steps allow (the smaller of two that are
    equally near), but is a step at least; without rounding, a step is a unit of each of a row's
    groups.
    """

    def __init__(self, rows: Sequence[Row], widths: Mapping[str, int], round_to: int = 1) -> None:
        self._rows = rows
        steps = [steps_of(widths[row.paths[0]], len(row.moments), round_to) for row in rows]
        which = [np.full(len(ends), i) for i, ends in enumerate(steps)]
        moments = [_middles(row.moments, ends) for row, ends in zip(rows, steps, strict=True)]
        sizes = [
            np.diff(ends, prepend=0) * len(row.paths) for row, ends in zip(rows, steps, strict=True)
        ]
        self._steps = steps
        order = np.argsort(_joined(moments, np.float64), kind="stable")
        self._row_of_step: Ints = _joined(which, np.int64)[order]
        self._totals: Ints = np.cumsum(_joined(sizes, np.int64)[order])

    @property
    def most(self) -> int:
        """How many units can go at most."""
        return int(self._totals[-1]) if len(self._totals) else 0

    def totals(self) -> Ints:
        """The numbers of units that can go, ascending."""
        return self._totals

    def quotas(self, count: int) -> dict[str, int]:
        """How many units each group gives when about `count` go; groups that give none are left
        out."""
        if not self.most or count < 1:
            return {}
        after = int(np.searchsorted(self._totals, count))  # the first that is enough
        taken = min(after, len(self._totals) - 1)
        before = taken - 1
        if before >= 0 and count - self._totals[before] <= self._totals[taken] - count:
            taken = before
        numbers = np.bincount(self._row_of_step[: taken + 1], minlength=len(self._rows))
        return {
            path: int(ends[number - 1])
            for row, ends, number in zip(self._rows, self._steps, numbers, strict=True)
            if number
            for path in row.paths
        }


def steps_of(width: int, room: int, round_to: int) -> Ints:
    """How many of a group's units are gone after each step; a multiple of `round_to` stays."""
    gone: Ints = np.arange(1, room + 1, dtype=np.int64)
    stays = width - gone
    return np.compress(stays % round_to == 0, gone)


def _middles(moments: NDArray[np.float64], ends: Ints) -> NDArray[np.float64]:
    """When a step is taken: at the moment of its middle unit."""
    begins = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    return moments[(begins + ends - 1) // 2]


def _joined(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind) if parts else np.empty(0, kind)
