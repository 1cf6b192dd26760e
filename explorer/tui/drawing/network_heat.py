"""The rankings along a way as a map: a row a block or group, a column a step. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from engine.contracts.edits import LAYER as LAYER_STRUCTURE
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Line, Piece, fit, short_name
from explorer.tui.drawing.network import LAYER, STAYS, UNITS, flowing
from explorer.views.counting import counted
from explorer.views.network.rankings import Cell, Rankings, Row
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe

SHADES = "░▒▓█"  # from the first to go to the last
UNRANKED, _MOST_NAME, _TREND = "·", 32, 14
_LEAST_CELL, _MOST_CELL = 3, 9  # cells of a step's column, with the gap behind it


def heat_lines(found: Rankings, width: int, first: int = 0) -> list[Line]:
    """The map; `first` is the step of the first column where not all fit."""
    if not found.steps:
        text = (
            f"no ranking is stored on the way to {safe(found.node, 60)}: one comes with the first "
            "candidates of a node"
        )
        return [[(line, "dim")] for line in fig.wrapped(text, width)]
    name = min(
        max(cell_len(safe(row.path)) for row in found.rows) if found.rows else 8,
        _MOST_NAME, max(width // 3, 8),
    )  # fmt: skip
    trend = _TREND if width >= 60 else 0
    start, end = columns_in(found, width, first, name, trend)
    cell = _width_of_cell(width - name - 3 - trend, end - start)
    lines: list[Line] = [*_about(found, width), *_heads(found, start, end, name, cell)]
    title = None
    for row in found.rows:
        of = "blocks" if row.kind in ("block", "part") else f"groups of {row.kind}s, mean score"
        if of != title:
            title = of
            lines.append([(of, "title")])
        lines.append(_row(row, start, end, name, cell))
    if (start, end) != (0, len(found.steps)):
        shown = f"steps {start + 1} to {end} of {len(found.steps)} are shown"
        lines.insert(1, [(shown, "dim")])
    return [fit(line, width) for line in lines]


def columns_in(
    found: Rankings, width: int, first: int, name: int = _MOST_NAME, trend: int = _TREND
) -> tuple[int, int]:
    """Which steps fit: from `first` on, or as many before as the width still takes."""
    fits = max((width - name - 3 - trend) // _LEAST_CELL, 1)
    start = min(max(first, 0), max(len(found.steps) - fits, 0))
    return start, min(start + fits, len(found.steps))


def _width_of_cell(room: int, count: int) -> int:
    """Few steps have wide columns: their shades are compared the better."""
    return min(max(room // max(count, 1), _LEAST_CELL), _MOST_CELL)


def _about(found: Rankings, width: int) -> list[Line]:
    criteria = list(dict.fromkeys(step.criterion for step in found.steps if step.criterion))
    by = f" by {', '.join(safe(name, 20) for name in criteria)}" if criteria else ""
    text = (
        f"{counted(len(found.steps), 'ranking')}{by}; a cell is the place within its own step, so "
        "steps can be compared"
    )
    entries = [
        [(f"{SHADES} from the first to go to the last", "dim")],
        [(f"{STAYS} protected", "dim")],
        [(LAYER, "layer"), (" ", ""), (UNITS, "units"), (" taken there", "dim")],
        [(f"{UNRANKED} not ranked", "dim")],
        [("blank: gone", "dim")],
    ]
    said: list[Line] = [[(line, "")] for line in fig.wrapped(text, width)]
    return [*said, *flowing(entries, width), []]


def _heads(found: Rankings, start: int, end: int, name: int, cell: int) -> list[Line]:
    """The steps, by number and, where there is room, by their nodes, and what the way took."""
    pad = " " * (name + 3)
    steps = found.steps[start:end]
    numbers = "".join(str(start + n + 1).ljust(cell)[:cell] for n in range(len(steps)))
    heads: list[Line] = [[(fig.pad("  step", name + 3), "dim"), (numbers, "dim")]]
    names = [fitted_name(step.node, cell - 1) for step in steps]
    if cell == _MOST_CELL:
        heads.append([(pad, ""), ("".join(fig.pad(each, cell) for each in names), "dim")])
    taken: list[Piece] = []
    for step in steps:
        if step.went is None:
            taken.append((" " * cell, ""))
        elif step.went == LAYER_STRUCTURE:
            taken.append((LAYER.ljust(cell), "layer"))
        else:
            taken.append((UNITS.ljust(cell), "units"))
    return [*heads, [(pad, ""), *taken]]


def _row(row: Row, start: int, end: int, name: int, cell: int) -> Line:
    pieces: list[Piece] = [("  " + fig.pad(short_name(row.path, name), name) + " ", "")]
    is_block = row.kind in ("block", "part")
    for each in row.cells[start:end]:
        pieces += _cell(each, is_block, cell)
    return [*pieces, (row.trend, "dim" if row.trend == "always low" else "title")]


def _cell(cell: Cell, is_block: bool, width: int) -> Sequence[Piece]:
    """A shade, and behind it what else is known: protected, or taken there."""
    if cell.state == "gone":
        return [(" " * width, "")]
    shade = UNRANKED if cell.share is None else shade_of(cell.share)
    tone = "dim" if cell.share is None or cell.protected else "bar"
    shades = shade * (width - 2)
    if cell.goes:
        mark = (LAYER, "layer") if is_block else (UNITS, "units")
        return [(shades, tone), mark, (" ", "")]
    if cell.share is None:
        return [(UNRANKED.ljust(width), tone)]
    return [(shades + (STAYS if cell.protected else shade) + " ", tone)]


def shade_of(share: float) -> str:
    """The shade of a place in [0, 1]."""
    return SHADES[min(int(share * len(SHADES)), len(SHADES) - 1)]
