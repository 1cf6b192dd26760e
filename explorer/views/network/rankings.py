"""How important blocks and groups of units were found at each step from the root to a node.

Criteria measure in units of their own, and their scores grow as a network shrinks. So a cell is
not a score but a place: the share of what was ranked in the same step that came before it, from 0
(the first to go) to 1 (the last). That can be held beside the places of other steps.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.contracts.edits import Edit
from engine.contracts.keeping import kept
from engine.contracts.networks import Scores
from engine.contracts.structure import NetworkStructure
from explorer.views.network.left import Left, left_along
from explorer.views.shape_fields import told

CellState = Literal["ranked", "unranked", "gone"]
Trend = Literal["always low", "became low", "became high", ""]
LOW, MIDDLE, HIGH = 1 / 4, 1 / 2, 3 / 4


@dataclass(frozen=True)
class Cell:
    """One block or group in the ranking of one step."""

    state: CellState = told("gone, or there and ranked or not")
    share: float | None = told("its place: 0 the least important of its step, 1 the most")
    protected: bool = told("a block that stays, so that its place counts for nothing")
    goes: bool = told("whether the next step on the way removes it, or some of its units")


@dataclass(frozen=True)
class Row:
    """A block, or a group of units, over the steps."""

    path: str = told("the block or group, as the root calls it")
    kind: str = told("block, part (half of a block), or what the units are")
    trend: Trend = told("what the places say together: always low, became low or high, or empty")
    cells: tuple[Cell, ...] = told("one for each step")


@dataclass(frozen=True)
class Step:
    """A node on the way whose blocks and units were ranked."""

    node: str = told("the node")
    criterion: str | None = told("by what")
    went: str | None = told("which structure the way took from there; null at its end")


@dataclass(frozen=True)
class Rankings:
    """The rankings along the way from the root to a node, as they were stored."""

    node: str = told("the node")
    steps: tuple[Step, ...] = told("the nodes on the way that were ranked")
    rows: tuple[Row, ...] = told("blocks, then groups of units by the mean of their scores")


@dataclass(frozen=True)
class Ranked:
    """A node on the way: what its newest proposal says, where it has one."""

    node: str
    scores: Scores | None
    criterion: str | None
    edit: Edit | None  # what the way goes on with


def rankings(
    root: NetworkStructure, way: Sequence[Ranked], min_blocks: int, keep: str | None = None
) -> Rankings:
    """The rankings along a way; `way` ends with the node itself, whose edit is None."""
    along = left_along(root, [each.edit for each in way if each.edit is not None])
    ranked = [(each, left) for each, left in zip(way, along, strict=True) if each.scores]
    steps = tuple(
        Step(each.node, each.criterion, each.edit.structure if each.edit else None)
        for each, _ in ranked
    )
    columns = [_Column(each, left, min_blocks, keep) for each, left in ranked]
    return Rankings(way[-1].node, steps, tuple(_rows(root, columns)) if columns else ())


class _Column:
    """One step: the places of blocks and groups, in the root's names."""

    def __init__(self, ranked: Ranked, left: Left, min_blocks: int, keep: str | None) -> None:
        assert ranked.scores is not None
        self.left, self.edit = left, ranked.edit
        self.blocks = _shares(ranked.scores.blocks)
        by_kind: dict[str, dict[str, float]] = {}
        for group in left.structure.groups:
            if values := ranked.scores.units.get(group.path):
                of_kind = by_kind.setdefault(group.kind, {})
                of_kind[left.names[group.path]] = math.fsum(values) / len(values)
        self.units = {path: s for of in by_kind.values() for path, s in _shares(of).items()}
        free = {block.path for block in left.structure.removable_blocks(min_blocks)}
        free -= kept(left.structure, keep).blocks.keys()
        self.protected = {block.path for block in left.structure.blocks} - free
        self.goes = set(ranked.edit.blocks) if ranked.edit else set()
        units = ranked.edit.units if ranked.edit else ()
        self.units_go = {left.names[path] for path, _ in units if path in left.names}

    def block(self, path: str) -> Cell:
        there = path in self.left.blocks or path in self.left.parts
        return _cell(there, self.blocks.get(path), path in self.protected, path in self.goes)

    def group(self, path: str) -> Cell:
        there = path in self.left.units
        return _cell(there, self.units.get(path), False, path in self.units_go)


def _cell(there: bool, share: float | None, protected: bool, goes: bool) -> Cell:
    if not there:
        return Cell("gone", None, False, False)
    return Cell("unranked" if share is None else "ranked", share, protected, goes)


def _rows(root: NetworkStructure, columns: Sequence[_Column]) -> Iterable[Row]:
    with_parts = any(
        part.path in column.blocks
        for column in columns
        for block in root.blocks
        for part in block.parts
    )
    for block in root.all_blocks():
        is_block = block in root.blocks
        if is_block or with_parts:
            cells = tuple(column.block(block.path) for column in columns)
            yield Row(block.path, "block" if is_block else "part", trend_of(cells), cells)
    kinds = list(dict.fromkeys(group.kind for group in root.groups))
    for group in sorted(root.groups, key=lambda group: kinds.index(group.kind)):
        cells = tuple(column.group(group.path) for column in columns)
        if any(cell.state == "ranked" for cell in cells):
            yield Row(group.path, group.kind, trend_of(cells), cells)


def _shares(scores: Mapping[str, float]) -> dict[str, float]:
    """The place of each: ties share one. What is no number, or alone, has none."""
    known = sorted(value for value in scores.values() if math.isfinite(value))
    if len(known) < 2:
        return {}
    last = len(known) - 1
    return {
        path: round((bisect_left(known, value) + bisect_right(known, value) - 1) / 2 / last, 4)
        for path, value in scores.items()
        if math.isfinite(value)
    }


def trend_of(cells: Sequence[Cell]) -> Trend:
    """What the places of at least two steps say together; nothing of what may not go."""
    if cells[-1].protected:
        return ""
    shares = [cell.share for cell in cells if cell.share is not None]
    if len(shares) < 2:
        return ""
    if max(shares) < LOW:
        return "always low"
    if shares[0] >= MIDDLE and shares[-1] < LOW:
        return "became low"
    return "became high" if shares[0] < MIDDLE and shares[-1] >= HIGH else ""
