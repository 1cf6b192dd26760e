"""Where the nodes of a tree stand: a tidy layout on a grid, one row of nodes a generation.

A column is half of what a node needs, so that siblings stand two columns apart and their parent
between them. Zooming multiplies the columns; it never lays out anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import sub

from explorer.views.tree.model import TreeModel

APART = 2  # columns between neighbours of a row


class TreeLayout:
    """The columns and rows of the visible nodes of a model, as it was when this was made."""

    def __init__(self, model: TreeModel) -> None:
        self.shape = model.shape
        self.rows = _rows(model)
        self.columns, self.depths, self.num_columns = _place(model, self.rows)
        self._model = model
        self._parents: dict[int, list[int]] = {}
        self._row_columns: dict[int, list[int]] = {}

    def between(self, depth: int, left: int, right: int) -> Sequence[int]:
        """The nodes of a row that stand in columns [left, right), from left to right."""
        columns = self._columns_of(depth)
        return self.rows[depth][bisect_left(columns, left) : bisect_left(columns, right)]

    def forks_between(self, depth: int, left: int, right: int) -> Sequence[int]:
        """The nodes of a row whose connectors (or fold marks) touch columns [left, right).

        The spans of a row never overlap (a parent stands within one column of a child or between
        two), so that both their ends ascend and can be searched.
        """
        forks = self._parents.get(depth)
        if forks is None:
            children = self._model.children
            forks = self._parents[depth] = [i for i in self.rows[depth] if children[i]]
        first = bisect_left(forks, left, key=lambda number: self.span(number)[1])
        last = bisect_left(forks, right, key=lambda number: self.span(number)[0])
        return forks[first:last]

    def span(self, number: int) -> tuple[int, int]:
        """The first and the last column of the node's connector."""
        own = self.columns[number]
        children = self._model.visible_children(number)
        if not children:
            return own, own
        return min(own, self.columns[children[0]]), max(own, self.columns[children[-1]])

    def neighbour(self, number: int, step: int) -> int | None:
        """The next node of the same row: a sibling where there is one."""
        row = self.rows[self.depths[number]]
        place = bisect_left(self._columns_of(self.depths[number]), self.columns[number]) + step
        return row[place] if 0 <= place < len(row) else None

    def last_at(self, depth: int, column: int) -> int | None:
        """The last node of a row at or left of a column."""
        place = bisect_right(self._columns_of(depth), column) - 1
        return self.rows[depth][place] if place >= 0 else None

    def _columns_of(self, depth: int) -> list[int]:
        columns = self._row_columns.get(depth)
        if columns is None:
            columns = [self.columns[number] for number in self.rows[depth]]
            self._row_columns[depth] = columns
        return columns


def _rows(model: TreeModel) -> list[list[int]]:
    """The visible nodes by depth, each row from left to right."""
    children, folded = model.children, model.folded
    rows: list[list[int]] = []
    row = [0] if len(model) else []
    while row:
        rows.append(row)
        if folded:
            row = [child for i in row if i not in folded for child in children[i]]
        else:
            row = [child for i in row for child in children[i]]
    return rows


# The leftmost and the rightmost column of each generation of a subtree, the deepest first (so that
# a new top is appended), and a shift to add to both: columns counted from the subtree's root.
# A leaf, which most nodes are, has none.
_Outline = tuple[list[int], list[int], int]


def _place(model: TreeModel, rows: list[list[int]]) -> tuple[list[int], list[int], int]:
    """Each node's column and depth (-1 while it is hidden), and the number of columns.

    Bottom up: subtrees are pushed together until their outlines are `APART`, which costs the
    height of the lower one. Top down: offsets add up.
    """
    if not rows:
        return [], [], 0
    children, folded, parents = model.children, model.folded, model.parents
    offsets = [0] * len(model)  # from the parent
    outlines: list[_Outline | None] = [None] * len(model)
    for row in reversed(rows):
        for number in row:
            if below := children[number]:
                if number in folded:  # the mark below a fold needs its place too
                    outlines[number] = ([0, 0], [0, 0], 0)
                else:
                    outlines[number] = _join(model.sides, below, outlines, offsets)
    lefts, rights, shift = outlines[0] or ([0], [0], 0)
    columns = [-1] * len(model)
    depths = [-1] * len(model)
    columns[0], depths[0] = -(min(lefts) + shift), 0
    for depth, row in enumerate(rows[1:], 1):
        for number in row:
            columns[number] = columns[parents[number]] + offsets[number]
            depths[number] = depth
    return columns, depths, columns[0] + max(rights) + shift + 1


def _join(
    sides: list[int], below: list[int], outlines: list[_Outline | None], offsets: list[int]
) -> _Outline:
    """The outline of a parent over its children's, which are used up."""
    first, last = below[0], below[-1]
    joined = outlines[first]
    outlines[first] = None
    if len(below) == 2 and sides[first] < sides[last] and sides[first] + sides[last] == 0:
        outline, outlines[last] = outlines[last], None
        if joined is None or outline is None:
            offsets[first], offsets[last] = -1, 1
            return _beside_leaf(joined, outline)
        distance = _distance(joined, outline)
        lefts, rights, shift = _merge(joined, outline, distance)
        own = distance // 2
        offsets[first], offsets[last] = -own, own
    else:
        joined = joined or ([0], [0], 0)
        places = [0]  # of the children, from the first
        for child in below[1:]:
            outline, outlines[child] = outlines[child] or ([0], [0], 0), None
            places.append(_distance(joined, outline))
            joined = _merge(joined, outline, places[-1])
        own = _between(places, [sides[child] for child in below])
        for child, place in zip(below, places, strict=True):
            offsets[child] = place - own
        lefts, rights, shift = joined
    shift -= own
    lefts.append(-shift)
    rights.append(-shift)
    return lefts, rights, shift


def _beside_leaf(left: _Outline | None, right: _Outline | None) -> _Outline:
    """The outline of a parent of two of which one is a leaf, as most are: at no height's cost."""
    if left is not None:
        lefts, rights, shift = left
        shift -= 1
        rights[-1] = 1 - shift
    elif right is not None:
        lefts, rights, shift = right
        shift += 1
        lefts[-1] = -1 - shift
    else:
        return [-1, 0], [1, 0], 0
    lefts.append(-shift)
    rights.append(-shift)
    return lefts, rights, shift


def _distance(left: _Outline, right: _Outline) -> int:
    """How far right of the left root the right one has to stand; even, to have a middle."""
    rights, lefts = left[1], right[0]
    height = min(len(rights), len(lefts))
    if height == 1:
        widest = rights[-1] - lefts[-1]
    else:
        widest = max(map(sub, rights[-height:], lefts[-height:]))
    distance = widest + left[2] - right[2] + APART
    return distance + (distance & 1)


def _merge(left: _Outline, right: _Outline, distance: int) -> _Outline:
    """The outline of both, counted from the left root; reuses the longer lists."""
    lefts, rights, shift = left
    other_lefts, other_rights, other_shift = right
    other_shift += distance
    if len(lefts) >= len(other_lefts):
        change = other_shift - shift
        rights[-len(other_rights) :] = [column + change for column in other_rights]
        return lefts, rights, shift
    change = shift - other_shift
    other_lefts[-len(lefts) :] = [column + change for column in lefts]
    return other_lefts, other_rights, other_shift


def _between(places: list[int], sides: list[int]) -> int:
    """Where the parent stands: left of every layer, right of every filter, above the others."""
    num_left = sides.count(-1)
    num_right = sides.count(1)
    middle = places[num_left : len(places) - num_right]
    if middle:
        return (middle[0] + middle[-1]) // 2
    if not num_right:
        return places[-1] + APART // 2
    if not num_left:
        return places[0] - APART // 2
    return (places[num_left - 1] + places[num_left]) // 2
