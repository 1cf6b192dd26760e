"""A tree set out in cells: what zoom it is drawn at in the space there is, and where each node is.

A zoom step says what a node looks like; columns and the lines between generations widen as far as
there is room. All is counted in cells and lines of the whole drawing, from its top left corner.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from explorer.views.tree.layout import TreeLayout
from explorer.views.tree.model import TreeModel


class Step(NamedTuple):
    """One step of the semantic zoom. A node may fill two columns less one cell."""

    name: str
    column: int  # cells, at least
    widest: int  # cells of a column at most
    height: int  # lines of a node
    most_gap: int  # lines between generations at most
    dense: tuple[int, int] = (0, 0)  # column and widest where stubs stand beside their siblings
    framed: bool = False
    airy: int = 0  # lines of a node where there is room for air in it; 0: never


STEPS = (
    Step("dots", 2, 4, 1, 1, dense=(3, 4)),
    Step("chips", 6, 18, 1, 2, dense=(9, 28)),
    Step("cards", 13, 17, 4, 3),
    Step("sheets", 16, 24, 8, 4, framed=True, airy=13),
)
DOTS, CHIPS, CARDS, SHEETS = range(len(STEPS))
FULL, STUBS, DENSE = "full", "stubs", "dense"  # what becomes of rejected siblings
_STUB_CELLS, _LONG_STUB = 4, 9  # beside a chip: `○L2─`, `○L .9596─`
_ROOMY, _USUAL = 21, 13  # cells of a column that has room for the latter, and of others at most
_TELLING = 9  # cells of a column from which a chip has both its figures


class _Way(NamedTuple):
    """A way to set a tree out, and from which width of a column on."""

    step: int
    siblings: str
    column: int = 0


# From what shows most to what takes least.
_WAYS = (
    _Way(SHEETS, FULL), _Way(CARDS, FULL), _Way(CARDS, STUBS), _Way(CHIPS, FULL, _TELLING),
    _Way(CHIPS, STUBS, _TELLING), _Way(CHIPS, FULL), _Way(CHIPS, STUBS), _Way(CHIPS, DENSE),
    _Way(DOTS, FULL), _Way(DOTS, DENSE),
)  # fmt: skip
# What to scroll in where nothing fits, by the zoom that a person chose.
_LAST_RESORT = {DOTS: DENSE, CHIPS: STUBS, CARDS: STUBS, SHEETS: FULL}


class Box(NamedTuple):
    """A rectangle of cells."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def meets(self, other: Box) -> bool:
        return (
            self.x < other.right and other.x < self.right
            and self.y < other.bottom and other.y < self.bottom
        )  # fmt: skip


class Scene:
    """The nodes of a layout, each in its cells."""

    def __init__(
        self, model: TreeModel, layout: TreeLayout, step: int, way: str, space: tuple[int, int]
    ) -> None:
        self.model, self.layout, self.number, self.way = model, layout, step, way
        self.step = zoom = STEPS[step]
        self.space = space
        least, self.column = zoom.dense if way == DENSE else (zoom.column, zoom.widest)
        while self.column > least and self._width() > space[0]:
            self.column -= 1
        if way == DENSE and self.column < _ROOMY:
            self.column = min(self.column, _USUAL)
        gaps = _gaps(model, layout, way == DENSE)
        self.lines = zoom.height  # of a node
        if zoom.airy and len(layout.rows) * zoom.airy + sum(gaps) <= space[1]:
            self.lines = zoom.airy
        lines = len(layout.rows) * self.lines + sum(gaps)
        widened = sum(gap > 0 for gap in gaps)
        more = (space[1] - lines) // widened if widened else 0
        more = 0 if way == DENSE else min(max(more, 0), zoom.most_gap - 1)
        self.gaps = [gap + more if gap else 0 for gap in gaps] if more else gaps
        self.tops = list(accumulate((self.lines + gap for gap in self.gaps), initial=0))
        self.width, self.height = self._width(), self.tops[-1]
        spare = max(space[0] - self.width, 0), max(space[1] - self.height, 0)
        self.left, self.top = spare[0] // 2, min(spare[1] // 3, 6)

    @property
    def fits(self) -> bool:
        return self.width <= self.space[0] and self.height <= self.space[1]

    @property
    def stub_left(self) -> int:
        """Cells left of a node's own that its stubs may fill."""
        if self.way == FULL:
            return 0
        if self.way == DENSE:
            return _LONG_STUB if self.column >= _ROOMY else min(_STUB_CELLS, self.column // 3)
        return self.column * 3 // 4

    @property
    def _is_tight(self) -> bool:
        """Whether stubs stand at the glyphs of their siblings."""
        return self.way == DENSE and self.stub_left < 2

    @property
    def stub_right(self) -> int:
        """Cells right of the rail, or of the node, that stubs may fill."""
        if self.way == DENSE:
            return self.stub_left
        return 2 * self.column - 2 - self.stub_left

    @property
    def body(self) -> int:
        """Cells of a node."""
        return 2 * self.column - 1 - (2 * self.stub_left if self.way == DENSE else 0)

    @property
    def stem(self) -> int:
        """Where in a node its connectors begin and end."""
        return self.body // 2 if self.step.framed else 0

    def _width(self) -> int:
        """Of the whole drawing, whose stubs may stand out at the left."""
        if not self.layout.rows:
            return 0
        out = self.stub_left if self.way == STUBS else 0
        return out + (self.layout.num_columns - 1) * self.column + 2 * self.column - 1

    # Where things are

    def cell(self, number: int) -> int:
        """The first cell of a node that has a column."""
        return self.left + self.stub_left + self.layout.columns[number] * self.column

    def box(self, number: int) -> Box:
        """Where a visible node is drawn."""
        layout, depth = self.layout, self.layout.depths[number]
        if layout.is_stub(number):
            return self._stub_box(number, depth)
        is_short = self._is_tight and layout.stub_at(self.model.parents[number], 1) is not None
        return Box(
            self.cell(number), self.top + self.tops[depth],
            1 if is_short else self.body, self.lines,
        )  # fmt: skip

    def _stub_box(self, number: int, depth: int) -> Box:
        parent = self.model.parents[number]
        is_left = self.layout.stub_at(parent, -1) == number
        own = self.cell(parent)
        if self.way == DENSE:  # beside its sibling
            line = self.top + self.tops[depth]
            if is_left:
                return Box(own - self.stub_left, line, self.stub_left, 1)
            if self._is_tight:  # right behind the signs
                return Box(own + 1, line, self.body, 1)
            return Box(own + self.body, line, self.stub_left, 1)
        line = self.top + self.tops[depth - 1] + self.lines
        if is_left:
            return Box(own - self.stub_left, line, self.stub_left, 1)
        return Box(own + 1, line, self.stub_right, 1)

    def row_at(self, y: int) -> tuple[int, int] | None:
        """The generation of a line, and which of its lines it is; None above and below the tree."""
        y -= self.top
        if not 0 <= y < self.height:
            return None
        depth = bisect_right(self.tops, y) - 1
        return depth, y - self.tops[depth]

    def columns_in(self, left: int, right: int) -> tuple[int, int]:
        """The columns whose nodes may touch the cells [left, right)."""
        start = self.left + self.stub_left
        return (left - start) // self.column - 2, (right - start) // self.column + 3

    def at(self, x: int, y: int) -> int | None:
        """The node that is drawn at a cell."""
        for number in self.in_box(Box(x, y, 1, 1)):
            return number
        return None

    def in_box(self, box: Box) -> Iterator[int]:
        """The nodes drawn in a rectangle, from top to bottom."""
        layout = self.layout
        first, last = max(box.y - self.top, 0), min(box.bottom - self.top, self.height)
        if first >= last:
            return
        columns = self.columns_in(box.x, box.right)
        shallow = bisect_right(self.tops, first) - 1
        for depth in range(shallow, bisect_right(self.tops, last - 1)):
            for number in layout.between(depth, *columns):
                # Stubs hang on their parent, or stand beside their sibling.
                owner = self.model.parents[number] if self.way == DENSE else number
                for each in (number, *layout.stubs.get(owner, ())):
                    if layout.depths[each] >= 0 and self.box(each).meets(box):
                        yield each


def _gaps(model: TreeModel, layout: TreeLayout, dense: bool) -> list[int]:
    """How many lines each generation needs below it: one for connectors, folds and stubs; none
    where stubs stand beside their siblings and all ways go straight down."""
    folded, columns, children = model.folded, layout.columns, layout.children
    last = len(layout.rows) - 1

    def needs(number: int) -> bool:
        if number in folded:
            return True
        below = children[number]
        return len(below) > 1 or columns[below[0]] != columns[number]

    return [
        int(any(map(needs, layout.forks(depth)))) if dense or depth == last else 1
        for depth in range(last + 1)
    ]


class Fitting:
    """Chooses the scene of a model for the space there is; lays out once for each shape."""

    def __init__(self, model: TreeModel) -> None:
        self._model = model
        self._layouts: dict[bool, TreeLayout] = {}

    def layout(self, with_stubs: bool) -> TreeLayout:
        found = self._layouts.get(with_stubs)
        if found is None or found.shape != self._model.shape:
            found = self._layouts[with_stubs] = TreeLayout(self._model, with_stubs)
        return found

    def scene(self, space: tuple[int, int], step: int | None = None) -> Scene:
        """The most telling scene that fits; of one step where a person chose it. Where none fits,
        one that is scrolled in."""
        for way in _WAYS:
            if step is None or way.step == step:
                scene = self._try(way, space)
                if scene is not None and scene.fits and scene.column >= way.column:
                    return scene
        return self._scrolled(space, step)

    def _try(self, way: _Way, space: tuple[int, int]) -> Scene | None:
        layout, zoom = self.layout(True), STEPS[way.step]
        # What cannot fit is not set out: without stubs the tree is no smaller.
        if len(layout.rows) * zoom.height > space[1]:
            return None
        column = zoom.dense[0] if way.siblings == DENSE else zoom.column
        if (layout.num_columns - 1) * column > space[0]:
            return None
        layout = self.layout(way.siblings != FULL)
        return Scene(self._model, layout, way.step, way.siblings, space)

    def _scrolled(self, space: tuple[int, int], step: int | None) -> Scene:
        layout = self.layout(True)
        if step is None:
            chips = Scene(self._model, layout, CHIPS, DENSE, space)
            if chips.width <= space[0]:
                return chips
            step = DOTS
        way = _LAST_RESORT[step]
        return Scene(self._model, self.layout(way != FULL), step, way, space)
