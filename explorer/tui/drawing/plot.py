"""Plots as text: lines of braille dots."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from explorer.views.safe_text import safe
from explorer.views.ticks import number_text, widened

Point = tuple[float, float]

# The bits of a braille character's dots, [column][row].
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
# Which dots along a line are set: series differ by this where there is no colour.
_PATTERNS = ((1,), (1, 0, 0), (1, 1, 1, 1, 0, 0), (1, 1, 1, 0, 0, 1, 0, 0), (1, 0, 0, 0, 0, 0))
_SAMPLES = ("⣀⣀", "⡀⡀", "⣀⡀", "⣀⠄", "⡀ ")
STYLES = (
    Style(color="green", bold=True),
    Style(color="yellow"),
    Style(color="cyan"),
    Style(color="magenta"),
    Style(color="blue"),
)
_AXIS = Style(dim=True)


class Frame(NamedTuple):
    """The ranges of the data and the dots that show them."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    dots_across: int
    dots_down: int

    def dot(self, x: float, y: float) -> tuple[int, int]:
        """The dot of a point, or the one at the edge that is nearest to it."""
        x = min(max(x, self.x_low), self.x_high)
        y = min(max(y, self.y_low), self.y_high)
        across = (x - self.x_low) / (self.x_high - self.x_low) * (self.dots_across - 1)
        down = (self.y_high - y) / (self.y_high - self.y_low) * (self.dots_down - 1)
        return round(across), round(down)


def braille_lines(
    series: Mapping[str, Sequence[Point]],
    width: int,
    height: int,
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    styles: Sequence[Style] = STYLES,
    axis_style: Style = _AXIS,
) -> list[Text]:
    """A line a series in `height` texts of `width` cells: a legend, the curves, the x axis.

    Series differ by style and by how their line is dotted. Points that are not finite leave a
    gap; points outside `y_range` are drawn at its edge. Where there is too little room the axes
    go first, then the legend.
    """
    if width < 1 or height < 1:
        return [Text(" " * max(width, 0)) for _ in range(max(height, 0))]
    with_axes = width >= 24 and height >= 5
    with_legend = with_axes or (width >= 24 and height >= 3)
    tick_width = 7 if with_axes else 0
    rows = height - 3 if with_axes else height - with_legend
    columns = width - tick_width - 1 if with_axes else width
    frame = _frame(series, columns, rows, y_range)
    if frame is None:
        return _message("no values yet", width, height, axis_style)
    graph = _curves(series, frame, styles)
    lines = [_legend(series, width, y_label, styles, axis_style)] if with_legend else []
    if not with_axes:
        return [*lines, *graph]
    for row, curve in enumerate(graph):
        tick = _tick(row, rows, frame)
        edge = "┤" if tick else "│"
        lines.append(_styled(f"{tick:>{tick_width}}{edge}", axis_style).append_text(curve))
    lines.append(_styled(" " * tick_width + "└" + "─" * columns, axis_style))
    lines.append(_x_ticks(frame, x_label, tick_width, columns, axis_style))
    return lines


def _frame(
    series: Mapping[str, Sequence[Point]],
    columns: int,
    rows: int,
    y_range: tuple[float, float] | None,
) -> Frame | None:
    points = [point for values in series.values() for point in values if _is_finite(point)]
    if not points:
        return None
    x_low, x_high = widened(min(x for x, _ in points), max(x for x, _ in points))
    if y_range is None:
        y_range = (min(y for _, y in points), max(y for _, y in points))
    y_low, y_high = widened(min(y_range), max(y_range))
    return Frame(x_low, x_high, y_low, y_high, columns * 2, rows * 4)


def _is_finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])


def _curves(
    series: Mapping[str, Sequence[Point]], frame: Frame, styles: Sequence[Style]
) -> list[Text]:
    """The lines of braille characters; a cell has the style of the series drawn last in it."""
    columns, rows = frame.dots_across // 2, frame.dots_down // 4
    cells = [[0] * columns for _ in range(rows)]
    owners = [[-1] * columns for _ in range(rows)]
    for number, values in enumerate(series.values()):
        pattern = _PATTERNS[number % len(_PATTERNS)]
        for step, (across, down) in enumerate(walk(values, frame)):
            if pattern[step % len(pattern)]:
                row, column = down >> 2, across >> 1
                cells[row][column] |= DOTS[across & 1][down & 3]
                owners[row][column] = number
    lines = []
    for row_cells, row_owners in zip(cells, owners, strict=True):
        text = "".join(chr(0x2800 + bits) if bits else " " for bits in row_cells)
        line = Text(text, end="")
        start = 0
        for column in range(1, columns + 1):
            if column == columns or row_owners[column] != row_owners[start]:
                if row_owners[start] >= 0:
                    line.stylize(styles[row_owners[start] % len(styles)], start, column)
                start = column
        lines.append(line)
    return lines


def walk(values: Sequence[Point], frame: Frame) -> Iterator[tuple[int, int]]:
    """Every dot along the line through the points."""
    last: tuple[int, int] | None = None
    for point in values:
        if not _is_finite(point):
            last = None
            continue
        dot = frame.dot(*point)
        if last is None:
            yield dot
        elif dot != last:
            (x, y), (to_x, to_y) = last, dot
            steps = max(abs(to_x - x), abs(to_y - y))
            for step in range(1, steps + 1):
                yield x + (to_x - x) * step // steps, y + (to_y - y) * step // steps
        last = dot


def _legend(
    series: Mapping[str, Sequence[Point]],
    width: int,
    y_label: str,
    styles: Sequence[Style],
    axis_style: Style,
) -> Text:
    """What is on the y axis, then each series' line, name and newest value."""
    line = _styled(f"{safe(y_label):>7} ", axis_style)
    for number, (name, values) in enumerate(series.items()):
        newest = next((y for x, y in reversed(values) if _is_finite((x, y))), None)
        value = "" if newest is None else f" {number_text(newest)}"
        sample = _SAMPLES[number % len(_SAMPLES)]
        line.append(f"{sample} {safe(name)}{value}  ", styles[number % len(styles)])
    return _fit(line, width)


def _tick(row: int, rows: int, frame: Frame) -> str:
    """The y value at this row, on the top, the bottom and every fourth row between."""
    if row not in (0, rows - 1) and (row % 4 or rows - 1 - row < 3):
        return ""
    share = row / (rows - 1) if rows > 1 else 0
    return number_text(frame.y_high + (frame.y_low - frame.y_high) * share)


def _x_ticks(frame: Frame, label: str, indent: int, columns: int, style: Style) -> Text:
    low, high = number_text(frame.x_low), number_text(frame.x_high)
    label = safe(label)
    middle = columns - cell_len(low) - cell_len(high)
    if cell_len(label) + 2 > middle:
        label = ""
    space = middle - cell_len(label)
    text = f"{' ' * (indent + 1)}{low}{' ' * (space // 2)}{label}{' ' * (space - space // 2)}{high}"
    return _fit(_styled(text, style), indent + 1 + columns)


def _message(words: str, width: int, height: int, style: Style) -> list[Text]:
    lines = [Text(" " * width, end="") for _ in range(height)]
    lines[(height - 1) // 2] = _styled(set_cell_size(words.center(width), width), style)
    return lines


def _styled(text: str, style: Style) -> Text:
    # As a span: Text.render() forgets the style of a text that has none.
    return Text(end="").append(text, style)


def _fit(line: Text, width: int) -> Text:
    line.truncate(width, pad=True)
    return line
