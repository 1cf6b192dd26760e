"""Where the nodes of a tree stand: a tidy layout on a grid, one row of nodes a generation.

A column is half of what a node needs, so that siblings stand two columns apart and their parent
between them. Zooming multiplies the columns; it never lays out anew.

Where space is short, what was rejected beside a single kept sibling becomes a stub: it takes no
column, hangs on the line between its parent and that sibling, and the kept path goes straight down.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import sub

from explorer.views.tree.model import TreeModel

APART = 2  # columns between neighbours of a row


class TreeLayout:
    """The columns and rows of the visible nodes of a model, as it was when this was made."""

    def __init__(self, model: TreeModel, with_stubs: bool = False) -> None:
        self.shape = model.shape
        self.stubs = _stubs(model) if with_stubs else {}  # by parent
        self.children = _without_stubs(model, self.stubs)  # those that have columns
        self.rows = _rows(self.children, model.folded)
        self.columns, self.depths, self.num_columns = _place(model, self.children, self.rows)
        for parent, stubs in self.stubs.items():
            if (depth := self.depths[parent]) >= 0:
                for stub in stubs:
                    self.depths[stub] = depth + 1
        self._model = model
        self._parents: dict[int, list[int]] = {}
        self._row_columns: dict[int, list[int]] = {}
        self._orders: dict[int, list[int]] = {}

    def is_stub(self, number: int) -> bool:
        return self.depths[number] >= 0 and self.columns[number] < 0

    def stub_at(self, parent: int, side: int) -> int | None:
        """A parent's stub at one side, -1 or 1."""
        stubs = self.stubs.get(parent, ())
        return next((i for i in stubs if _side(self._model, i) == side), None)

    def between(self, depth: int, left: int, right: int) -> Sequence[int]:
        """The nodes of a row that stand in columns [left, right), from left to right."""
        columns = self._columns_of(depth)
        return self.rows[depth][bisect_left(columns, left) : bisect_left(columns, right)]

    def forks_between(self, depth: int, left: int, right: int) -> Sequence[int]:
        """The nodes of a row whose connectors (or fold marks) touch columns [left, right).

        The spans of a row never overlap (a parent stands within one column of a child or between
        two), so that both their ends ascend and can be searched.
        """
        forks = self.forks(depth)
        first = bisect_left(forks, left, key=lambda number: self.span(number)[1])
        last = bisect_left(forks, right, key=lambda number: self.span(number)[0])
        return forks[first:last]

    def forks(self, depth: int) -> list[int]:
        """The nodes of a row that have children, shown or folded."""
        forks = self._parents.get(depth)
        if forks is None:
            children = self._model.children
            forks = self._parents[depth] = [i for i in self.rows[depth] if children[i]]
        return forks

    def below(self, number: int) -> list[int]:
        """The node's children that have columns."""
        return [] if number in self._model.folded else self.children[number]

    def span(self, number: int) -> tuple[int, int]:
        """The first and the last column of the node's connector."""
        own = self.columns[number]
        children = self.below(number)
        if not children:
            return own, own
        return min(own, self.columns[children[0]]), max(own, self.columns[children[-1]])

    def neighbour(self, number: int, step: int) -> int | None:
        """The next node of the same row: a sibling where there is one."""
        order = self._order_of(self.depths[number])
        place = order.index(number) + step
        return order[place] if 0 <= place < len(order) else None

    def _order_of(self, depth: int) -> list[int]:
        """All nodes of a row from left to right, stubs beside their siblings."""
        if not self.stubs:
            return self.rows[depth]
        order = self._orders.get(depth)
        if order is None:
            order = self._orders[depth] = []
            for number in self.rows[depth]:
                parent = self._model.parents[number]
                beside = (self.stub_at(parent, -1), number, self.stub_at(parent, 1))
                order += [i for i in beside if i is not None]
        return order

    def _columns_of(self, depth: int) -> list[int]:
        columns = self._row_columns.get(depth)
        if columns is None:
            columns = [self.columns[number] for number in self.rows[depth]]
            self._row_columns[depth] = columns
        return columns


def _side(model: TreeModel, number: int) -> int:
    """Where a stub hangs: what is neither a layer nor units is at the right."""
    return model.sides[number] or 1


def _stubs(model: TreeModel) -> dict[int, list[int]]:
    """By parent what is small: rejected and over, with nothing shown below it, beside one sibling
    that is kept, and the only one at its side."""
    nodes, folded = model.nodes, model.folded
    stubs: dict[int, list[int]] = {}
    for parent, below in enumerate(model.children):
        if not 1 < len(below) < 4 or parent in folded:
            continue
        small = [i for i in below if not nodes[i].kept]
        apart = len({_side(model, i) for i in small}) == len(small)
        if len(small) == len(below) - 1 and apart and all(_is_small(model, i) for i in small):
            stubs[parent] = small
    return stubs


def _is_small(model: TreeModel, number: int) -> bool:
    node = model.nodes[number]
    if node.kept is not False or node.live:
        return False
    return not model.children[number] or number in model.folded


def _without_stubs(model: TreeModel, stubs: dict[int, list[int]]) -> list[list[int]]:
    if not stubs:
        return model.children
    children = list(model.children)
    for parent, small in stubs.items():
        children[parent] = [i for i in children[parent] if i not in small]
    return children


def _rows(children: list[list[int]], folded: set[int]) -> list[list[int]]:
    """The visible nodes by depth, each row from left to right."""
    rows: list[list[int]] = []
    row = [0] if children else []
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


def _place(
    model: TreeModel, children: list[list[int]], rows: list[list[int]]
) -> tuple[list[int], list[int], int]:
    """Each node's column and depth (-1 while it is hidden), and the number of columns.

    Bottom up: subtrees are pushed together until their outlines are `APART`, which costs the
    height of the lower one. Top down: offsets add up.
    """
    if not rows:
        return [], [], 0
    folded, parents, whole = model.folded, model.parents, model.children
    offsets = [0] * len(model)  # from the parent
    outlines: list[_Outline | None] = [None] * len(model)
    for row in reversed(rows):
        for number in row:
            if below := children[number]:
                if number in folded:  # the mark below a fold needs its place too
                    outlines[number] = ([0, 0], [0, 0], 0)
                elif below is not whole[number]:  # beside stubs: straight down
                    lefts, rights, shift = outlines[below[0]] or ([0], [0], 0)
                    outlines[below[0]] = None
                    lefts.append(-shift)
                    rights.append(-shift)
                    outlines[number] = lefts, rights, shift
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
