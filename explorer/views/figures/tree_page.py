"""Where the nodes of a tree stand on a page: in strips of generations beside each other, so that a
deep tree is as legible in print as a small one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from explorer.views.tree.layout import TreeLayout
from explorer.views.tree.model import TreeModel

LONG, SHORT = 1040.0, 720.0  # of A4 within its margins, in pixels of which 96 are an inch
_MOST_STRIPS = 12
_LEAST_SCALE = 0.2  # below which nothing could be told apart; such a tree takes more than a page
_MOST_TOLD = 400  # nodes, up to which figures stand beside them


@dataclass(frozen=True)
class Style:
    """How much is told of a node, and what room that takes; `aside` is where small ones stand,
    from their sibling, where they take no column of their own."""

    name: str
    column: float
    row: float
    left: float
    right: float
    top: float
    aside: float = 0.0


ROOMY = Style("roomy", 42.0, 78.0, 60.0, 60.0, 36.0)  # figures below each other
COMPACT = Style("compact", 112.0, 17.0, 72.0, 196.0, 34.0, aside=1.0)  # on one line
DOTS = Style("dots", 11.0, 11.0, 16.0, 16.0, 24.0, aside=9.0)  # none
_LEGIBLE = 0.5  # a scale at which figures can be read in print


@dataclass(frozen=True)
class Page:
    """The visible nodes with their places, and the size of it all. `begins` are the nodes whose
    parents stand in another strip; `scale` is by how much it shrinks to fit a page."""

    model: TreeModel
    layout: TreeLayout
    style: Style
    places: dict[int, tuple[float, float]]
    begins: frozenset[int]
    width: float
    height: float
    scale: float


def page_of(model: TreeModel) -> Page:
    """The most telling arrangement that a page has room for."""
    told, small = TreeLayout(model), TreeLayout(model, with_stubs=True)
    if sum(depth >= 0 for depth in told.depths) <= _MOST_TOLD:
        for layout, style in ((told, ROOMY), (small, COMPACT)):
            page = _arranged(model, layout, style)
            if page.scale >= _LEGIBLE:
                return page
    return _arranged(model, small, DOTS)


def _arranged(model: TreeModel, layout: TreeLayout, style: Style) -> Page:
    pages = [_in_strips(model, layout, style, k) for k in range(1, _MOST_STRIPS + 1)]
    best = max(page.scale for page in pages)
    return next(page for page in pages if page.scale >= best - 0.02)  # the fewest


def _in_strips(model: TreeModel, layout: TreeLayout, style: Style, num_strips: int) -> Page:
    """The rows cut into so many strips, each as wide as its own columns."""
    each = math.ceil(len(layout.rows) / num_strips)
    places: dict[int, tuple[float, float]] = {}
    begins: set[int] = set()
    x = 0.0
    for start in range(0, len(layout.rows), each):
        rows = layout.rows[start : start + each]
        columns = [layout.columns[number] for row in rows for number in row]
        first, last = min(columns), max(columns)
        for line, row in enumerate(rows):
            for number in row:
                across = x + style.left + (layout.columns[number] - first) * style.column
                places[number] = across, style.top + line * style.row
        if start:
            begins.update(rows[0])
        x += style.left + (last - first) * style.column + style.right
    _place_stubs(model, layout, style, places)
    height = style.top + (each - 1) * style.row + (46.0 if style is ROOMY else 20.0)
    whole = height + 24  # with the legend
    scale = max(min(LONG / x, SHORT / whole), min(SHORT / x, LONG / whole))
    scale = min(max(scale, _LEAST_SCALE), 1.0)
    return Page(model, layout, style, places, frozenset(begins), x, height, scale)


def _place_stubs(
    model: TreeModel, layout: TreeLayout, style: Style, places: dict[int, tuple[float, float]]
) -> None:
    """Small ones stand beside their sibling, on its line."""
    for parent, stubs in layout.stubs.items():
        beside = layout.children[parent]
        if not beside or beside[0] not in places:
            continue
        x, y = places[beside[0]]
        for stub in stubs:
            places[stub] = x + style.aside * (-1 if model.sides[stub] < 0 else 1), y


def shown(page: Page) -> Sequence[int]:
    """The nodes that have a place, parents first."""
    return sorted(page.places)
