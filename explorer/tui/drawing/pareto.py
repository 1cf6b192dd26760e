"""The Pareto plot as text: points, frontiers and names on a grid of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rich.cells import cell_len

from explorer.tui.drawing.cells import Piece
from explorer.tui.drawing.plot import DOTS, Frame, walk
from explorer.views.pareto.axes import Axis
from explorer.views.pareto.frontier import steps
from explorer.views.pareto.view import MARKS, OWN, ParetoView, Point
from explorer.views.published.result import KINDS
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe
from explorer.views.ticks import nice_ticks, number_text, widened

Cell = tuple[int, int]  # column, row
TONES = ("axes", "frontier", "name", "zero", *MARKS)
_TICK_CELLS, _NARROWEST, _LOWEST = 7, 16, 3
_LONGEST_NAME = 22
_MOST_NAMES = 150  # that a place is looked for
_TALL, _FLAT = 12, 8  # rows: below the first less is in range, below the second names stay in line
_ROOMY = 120  # columns, from which on a method has its name more than once
_SOLID, _DOTTED = (1,), (1, 0)


@dataclass(frozen=True)
class Chart:
    """A drawn plot: its lines, and the cell at which each point stands."""

    lines: Sequence[Sequence[Piece]]
    places: Sequence[Cell] = ()
    at: dict[Cell, list[int]] = field(default_factory=dict)  # the points in a cell, the upper last
    num_below: int = 0  # points that lie further down, and stand on the lowest line

    def nearest(self, column: int, row: int, within: int = 2) -> int | None:
        """The point whose cell is nearest to one, if any is near."""
        best, found = within + 1, None
        for (at_column, at_row), numbers in self.at.items():
            distance = max(abs(at_column - column), 2 * abs(at_row - row))
            if distance < best:
                best, found = distance, numbers[-1]
        return found


class _Grid:
    """The cells within the axes."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.texts = [[" "] * columns for _ in range(rows)]
        self.tones = [[""] * columns for _ in range(rows)]
        self.taken: set[Cell] = set()  # by points and names
        self.lined: set[Cell] = set()  # by frontiers

    def put(self, column: int, row: int, text: str, tone: str) -> None:
        self.texts[row][column], self.tones[row][column] = text, tone

    def write(self, column: int, row: int, text: str, tone: str) -> None:
        """A name: a wide character takes a second cell, which then holds nothing."""
        for character in text:
            cells = cell_len(character)
            for extra in range(cells):
                self.put(column + extra, row, "" if extra else character, tone)
                self.taken.add((column + extra, row))
            column += cells

    def is_free(self, column: int, row: int, cells: int, *, over_lines: bool) -> bool:
        """Whether a name fits here, with a blank on either side."""
        if row < 0 or row >= self.rows or column < 0 or column + cells > self.columns:
            return False
        around = [(at, row) for at in range(column - 1, column + cells + 1)]
        return not any(
            at in self.taken or (not over_lines and at in self.lined) for at in around
        )  # fmt: skip

    def pieces(self, row: int) -> Iterator[Piece]:
        cells = zip(self.tones[row], self.texts[row], strict=True)
        for tone, group in groupby(cells, key=lambda cell: cell[0]):
            yield "".join(text for _, text in group), tone


def draw(view: ParetoView, width: int, height: int) -> Chart:
    """The plot in `height` lines of `width` cells."""
    columns, rows = width - _TICK_CELLS - 1, height - 2
    if columns < _NARROWEST or rows < _LOWEST or not view.points:
        words = "no figures yet" if not view.points else "too small for a plot"
        blank = [(" " * width, "axes")]
        lines = [blank] * max(height, 0)
        if lines:
            lines[(height - 1) // 2] = [(words[:width].center(width), "axes")]
        return Chart(lines)
    frame, num_below = _frame(view, columns, rows)
    grid = _Grid(columns, rows)
    _draw_zero(grid, frame, view.y)
    for kind in (*reversed(KINDS), OWN):
        _draw_frontier(grid, frame, view, kind)
    inner = [_cell_of(frame, point) for point in view.points]
    for (column, row), point in zip(inner, view.points, strict=True):
        grid.put(column, row, MARKS[point.kind], point.kind)
        grid.taken.add((column, row))
    _write_names(grid, view, inner)
    places = [(column + _TICK_CELLS + 1, row) for column, row in inner]
    at: dict[Cell, list[int]] = {}
    for number, place in enumerate(places):
        at.setdefault(place, []).append(number)
    return Chart([*_with_ticks(grid, frame), *_x_axis(frame, columns)], places, at, num_below)


def _frame(view: ParetoView, columns: int, rows: int) -> tuple[Frame, int]:
    """The ranges that are shown. Published results far below the rest would press all others
    together: they stand on the lowest line; how many they are."""
    xs = [point.x for point in view.points]
    x_low, x_high = widened(min(xs), max(xs))
    if view.x.key != "latency":
        x_low = min(x_low, 0.0)
    ys = sorted(point.y for point in view.points)
    low = max(ys[0], _fence(view, ys, rows))
    y_low, y_high = widened(low, ys[-1])
    across, up = (x_high - x_low) * 0.02, (y_high - y_low) * 0.06
    frame = Frame(x_low, x_high + across, y_low - up, y_high + up, 2 * columns, 4 * rows)
    return frame, sum(y < frame.y_low for y in ys)


def _fence(view: ParetoView, ys: Sequence[float], rows: int) -> float:
    """Where the range may end at the earliest: below every node of one's own."""
    own = [point.y for point in view.points if point.result is None]
    if len(own) == len(ys) or len(ys) < 8:
        return ys[0]
    first, third = ys[len(ys) // 4], ys[3 * len(ys) // 4]
    reach = 3.0 if rows >= _TALL else 1.5
    return min([first - reach * (third - first), *own])


def _cell_of(frame: Frame, point: Point) -> Cell:
    across, down = frame.dot(point.x, point.y)
    return across // 2, down // 4


def _draw_zero(grid: _Grid, frame: Frame, y: Axis) -> None:
    """The root's height, where heights are changes."""
    if not y.key.endswith("change") or not frame.y_low < 0 < frame.y_high:
        return
    row = frame.dot(frame.x_low, 0.0)[1] // 4
    for column in range(grid.columns):
        grid.put(column, row, "┈", "zero")


def _draw_frontier(grid: _Grid, frame: Frame, view: ParetoView, kind: str) -> None:
    """A line in steps: of one's own nodes solid, of published results dotted."""
    numbers = view.frontiers.get(kind, ())
    places = [(view.points[number].x, view.points[number].y) for number in numbers]
    if len(places) < 2:
        return
    pattern = _SOLID if kind == OWN else _DOTTED
    cells: dict[Cell, int] = {}
    for step, (across, down) in enumerate(walk(steps(places, view.x.better), frame)):
        if pattern[step % len(pattern)]:
            cell = across >> 1, down >> 2
            cells[cell] = cells.get(cell, 0) | DOTS[across & 1][down & 3]
    for (column, row), bits in cells.items():
        grid.put(column, row, chr(0x2800 + bits), "frontier" if kind == OWN else kind)
        grid.lined.add((column, row))


# ------------------------------------------------------------ names


def _write_names(grid: _Grid, view: ParetoView, inner: Sequence[Cell]) -> None:
    """Names beside points, as many as there is room for; what matters most comes first."""
    frontiers = {number for members in view.frontiers.values() for number in members}
    written: set[str] = set()
    again: list[int] = []  # methods that have their name elsewhere
    for number in _by_weight(view)[:_MOST_NAMES]:
        point = view.points[number]
        if point.result is not None and point.label in written and number not in frontiers:
            again.append(number)
        elif _write_name(grid, point_name(point), *inner[number]):
            written.add(point.label)
    for number in again if grid.columns >= _ROOMY else ():
        _write_name(grid, point_name(view.points[number]), *inner[number])


def point_name(point: Point, width: int = _LONGEST_NAME) -> str:
    """Deep nodes are written by runs, and methods cut on the right."""
    if point.node is not None:
        return fitted_name(point.name, width)
    text = safe(point.label)
    return text if len(text) <= width else text[: width - 1].rstrip(" ,") + "…"


def _by_weight(view: ParetoView) -> list[int]:
    """The numbers of the points: the best, then frontiers, then kept nodes, then the rest."""
    points = view.points
    first = [number for number, point in enumerate(points) if point.kind == "best"]
    for kind in (OWN, *KINDS):
        first += reversed(view.frontiers.get(kind, ()))
    rest = [i for i, p in enumerate(points) if p.kind in ("kept", "undecided")][::-1]
    rest += [i for i, p in enumerate(points) if p.kind == "rejected"][::-1]
    rest += [i for i, p in enumerate(points) if p.result is not None][::-1]
    return list(dict.fromkeys([*first, *rest]))


def _write_name(grid: _Grid, text: str, column: int, row: int) -> bool:
    cells = cell_len(text)
    middle = min(max(column - cells // 2, 0), max(grid.columns - cells, 0))
    tried = (
        (column + 2, row), (column - 1 - cells, row), (column + 1, row - 1),
        (column + 1, row + 1), (middle, row - 1), (middle, row + 1), (column - cells, row - 1),
        (column - cells, row + 1),
    )  # fmt: skip
    for over_lines in (False, True):
        for left, at in tried[: 2 if grid.rows < _FLAT else len(tried)]:
            if grid.is_free(left, at, cells, over_lines=over_lines):
                grid.write(left, at, text, "name")
                return True
    return False


# ------------------------------------------------------------ the axes


def _with_ticks(grid: _Grid, frame: Frame) -> list[list[Piece]]:
    ticks = {}
    for value in nice_ticks(frame.y_low, frame.y_high, max(grid.rows // 3, 4)):
        ticks[frame.dot(frame.x_low, value)[1] // 4] = number_text(value)
    lines = []
    for row in range(grid.rows):
        tick = ticks.get(row, "")
        edge = f"{tick.replace('-', '−'):>{_TICK_CELLS}}{'┤' if tick else '│'}"
        lines.append([(edge, "axes"), *grid.pieces(row)])
    return lines


def _x_axis(frame: Frame, columns: int) -> list[list[Piece]]:
    line, below = ["─"] * columns, [" "] * (columns + _TICK_CELLS + 1)
    for value in nice_ticks(frame.x_low, frame.x_high, max(columns // 10, 2)):
        column, text = frame.dot(value, frame.y_low)[0] // 2, number_text(value)
        line[column] = "┬"
        left = min(column + _TICK_CELLS + 1 - len(text) // 2, len(below) - len(text))
        below[left : left + len(text)] = text.replace("-", "−")
    return [[(" " * _TICK_CELLS + "└" + "".join(line), "axes")], [("".join(below), "axes")]]


# ------------------------------------------------------------ the cursor


def step(chart: Chart, number: int, direction: str) -> int:
    """The point that an arrow leads to.

    Left and right go to the next column of cells that has a point, to the one nearest in height;
    up and down go through the points of a column, those in one cell too, and beyond it to the
    nearest. So every point can be reached from every other one.
    """
    column, row = chart.places[number]
    if direction in ("left", "right"):
        sign = 1 if direction == "right" else -1
        ahead = [c for c, _ in chart.at if sign * (c - column) > 0]
        if not ahead:
            return number
        near = min(ahead, key=lambda c: sign * (c - column))
        found = min((r for c, r in chart.at if c == near), key=lambda r: abs(r - row))
        return chart.at[near, found][-1]
    sign = 1 if direction == "down" else -1
    stack = chart.at[column, row]
    further = stack.index(number) - sign
    if 0 <= further < len(stack):
        return stack[further]
    inside = [r for c, r in chart.at if c == column and sign * (r - row) > 0]
    if inside:
        near = min(inside, key=lambda r: sign * (r - row))
        return _entered(chart.at[column, near], sign)
    beyond = [cell for cell in chart.at if sign * (cell[1] - row) > 0]
    if not beyond:
        return number
    found_cell = min(beyond, key=lambda at: 2 * abs(at[1] - row) + abs(at[0] - column))
    return _entered(chart.at[found_cell], sign)


def _entered(stack: Sequence[int], sign: int) -> int:
    """The point of a cell that one comes to first: its upper one from above, its lower one from
    below, so that all of them are passed."""
    return stack[-1] if sign > 0 else stack[0]
