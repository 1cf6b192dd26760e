"""Figures as the panes write them: short, aligned, with a real minus sign. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from engine.contracts.message_text import plural
from explorer.views.duration import UNKNOWN, duration
from explorer.views.measured_text import number
from explorer.views.safe_text import safe

__all__ = ["NONE", "bar", "bytes_text", "count_text", "cut", "duration", "first_fitting", "number",
           "pad", "percent_removed", "progress", "rows_text", "share_text", "signed",
           "wrapped"]  # fmt: skip
NONE = UNKNOWN


class BarMarks(NamedTuple):
    """What a bar is drawn with: its full cells, those filled in part, and the cells left empty."""

    full: str
    parts: str = ""
    empty: str = ""


FINE = BarMarks("█", "▏▎▍▌▋▊▉")  # exact to an eighth of a cell
PROGRESS = BarMarks("━", "╸", "─")
COARSE_PROGRESS = BarMarks("━", "", "─")
LEFT = BarMarks("█", "", "░")  # what is left of a whole
LOW = BarMarks("▇")


def signed(value: float | None, digits: int = 2, leading_zero: bool = False) -> str:
    """`+.45`, `−1.20`: for changes."""
    if (value := number(value)) is None:
        return NONE
    text = f"{abs(value):.{digits}f}"
    if text.startswith("0.") and not leading_zero:
        text = text[1:]
    sign = "" if not float(text) else "+" if value > 0 else "−"
    return sign + text


def percent_removed(reduction: float | None) -> str:
    """`−15.0%`, as the tree writes what is gone of the root."""
    if (reduction := number(reduction)) is None:
        return NONE
    return f"{-reduction or 0.0:.1f}%".replace("-", "−")


def bytes_text(num_bytes: float | None) -> str:
    """`0.9 GB`, `512 MB`."""
    if (num_bytes := number(num_bytes)) is None:
        return NONE
    if num_bytes >= 1e8:
        return f"{num_bytes / 1e9:.1f} GB"
    return f"{num_bytes / 1e6:.0f} MB"


def count_text(count: float | None) -> str:
    """`125.49 M`, `861.5 k`."""
    if (count := number(count)) is None:
        return NONE
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= unit:
            return f"{count / unit:.2f} {letter}"
    return f"{count:.0f}"


def bar(share: float, width: int, marks: BarMarks = FINE) -> str:
    """A share in [0, 1] of `width` cells, as exact as the marks are."""
    width, steps = max(width, 0), len(marks.parts) + 1
    whole, rest = divmod(round(min(max(share, 0.0), 1.0) * width * steps), steps)
    part = marks.parts[rest - 1] if rest else ""
    return marks.full * whole + part + marks.empty * (width - whole - len(part))


def progress(share: float | None, width: int) -> str:
    """`━━━━╸────`; only the rail while nothing is known."""
    return bar(share or 0.0, width, PROGRESS)


def share_text(share: float | None) -> str:
    """Four cells: ` 55%`."""
    return "    " if share is None else f"{min(max(share, 0.0), 1.0):4.0%}"


def pad(text: str, width: int) -> str:
    """The text, cut or filled with spaces to a width in cells."""
    return set_cell_size(text, max(width, 0))


def cut(text: str, width: int) -> str:
    """The text, with `…` at its end where it is too wide."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def first_fitting(variants: Sequence[str], width: int) -> str:
    """The first of the variants that fits, else the last one, cut."""
    return next((v for v in variants if cell_len(v) <= width), cut(variants[-1], width))


def rows_text(row: str) -> str:
    """What several rows are called, in little room: `img`, `windows`."""
    return "img" if row == "image" else safe(plural(row), 10)


def wrapped(text: str, width: int, most: int | None = None) -> list[str]:
    """The text in lines of a width in cells, broken at blanks where there are any; of more than
    `most` lines the last shown one is cut."""
    lines: list[str] = []
    text = text.strip()
    while text and width > 0:
        if cell_len(text) <= width or (most is not None and len(lines) == most - 1):
            return [*lines, cut(text, width)]
        line = _head(text, width)
        lines.append(line.rstrip())
        text = text[len(line) :].lstrip()
    return lines


def _head(text: str, width: int) -> str:
    """As much of a too wide text as a line takes; at least one character."""
    end, cells = 0, 0
    while end < len(text) and (cells := cells + cell_len(text[end])) <= width:
        end += 1
    if text[end : end + 1] != " " and " " in text[:end]:
        end = text.rindex(" ", 0, end)
    return text[: max(end, 1)]
