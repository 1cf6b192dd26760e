"""The best node of a tree: the smallest kept one that is still accurate enough."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from engine.contracts.settings import Settings


class Measured(Protocol):
    """A node as far as the choice of the best one goes."""

    @property
    def name(self) -> str: ...
    @property
    def kept(self) -> bool | None: ...
    @property
    def val_accuracy(self) -> float | None: ...
    @property
    def macs_reduction(self) -> float | None: ...


NodeT = TypeVar("NodeT", bound=Measured)


def best(nodes: Iterable[NodeT], settings: Settings) -> NodeT:
    """The smallest kept node whose validation accuracy is not below the root's by more than
    `max_drop` (0 where it is not given); else the most accurate kept one. The root comes first."""
    rows = iter(nodes)
    root = next(rows)
    kept = [
        (node.macs_reduction or 0.0, node.val_accuracy, node)
        for node in rows
        if node.kept and node.val_accuracy is not None
    ]
    floor = (root.val_accuracy or 0.0) - (settings.search.max_drop or 0.0)
    if good := [row for row in kept if row[1] >= floor]:
        return max(good, key=lambda row: row[:2])[2]
    return max(kept, key=lambda row: row[1])[2] if kept else root
