"""The minimap: the whole tree in braille, what is seen of it, best and selected node. Pure."""

from __future__ import annotations

from explorer.tui.drawing.cells import Piece
from explorer.views.standing import BEST
from explorer.views.tree.overview import Cell, Overview
from explorer.views.tree.scene import Box, Scene

COLUMN, CORNER = "column", "corner"


def place_of_map(scene: Scene, space: tuple[int, int]) -> tuple[str, Box] | None:
    """Where a minimap stands in the view: a thin column at the right edge where the tree is only
    too deep, else a box in the corner at the bottom right; None where there is no room for one."""
    width, height = space
    if scene.width <= width:
        return (COLUMN, Box(width - 3, 0, 3, height)) if width >= 24 and height >= 4 else None
    if width < 40 or height < 8:
        return None
    columns, rows = scene.layout.num_columns, len(scene.layout.rows)
    across = min(max(width // 4, 14), 32, max(columns, 4))
    down = min(max(height // 4, 3), 9, max(rows, 2))
    return CORNER, Box(width - across - 2, height - down - 2, across + 2, down + 2)


def map_line(
    overview: Overview, kind: str, y: int, seen: Box, cursor: Cell | None, best: Cell | None
) -> list[Piece]:
    """A line of the minimap. What is seen is heavy in its frame, and in a tone of its own."""
    if kind == COLUMN:
        inside = seen.y <= y < seen.bottom
        return [("┃" if inside else "│", "figures" if inside else "edge"),
                *_cells(overview, y, seen, cursor, best)]  # fmt: skip
    if y in (0, overview.height + 1):
        ends = ("╭", "╮") if y == 0 else ("╰", "╯")
        return [
            (ends[0], "edge"),
            ("─" * seen.x, "edge"), ("━" * seen.width, "figures"),
            ("─" * (overview.width - seen.right), "edge"),
            (ends[1], "edge"),
        ]  # fmt: skip
    inside = seen.y <= y - 1 < seen.bottom
    side = ("┃", "figures") if inside else ("│", "edge")
    return [side, *_cells(overview, y - 1, seen, cursor, best), side]


def _cells(
    overview: Overview, y: int, seen: Box, cursor: Cell | None, best: Cell | None
) -> list[Piece]:
    pieces: list[Piece] = []
    for x, character in enumerate(overview.line(y)):
        here = Cell(x, y)
        inside = seen.x <= x < seen.right and seen.y <= y < seen.bottom
        tone = "path" if here in overview.path else "seen" if inside else "map"
        if here == cursor:
            character, tone = ("◆" if character == chr(0x2800) else character), "cursor"
        if here == best:
            character, tone = BEST, "cursor" if here == cursor else "best"
        if pieces and pieces[-1][1] == tone:
            pieces[-1] = (pieces[-1][0] + character, tone)
        else:
            pieces.append((character, tone))
    return pieces
