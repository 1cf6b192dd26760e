"""Names of deep nodes, shortened by runs: `R.F.L.L.L.L.L.L.F2` is `R.F.L⁶.F2`.

A superscript says how often a part comes in a row; an ordinary digit belongs to the part, as it
does in the store (`L2` is a second layer candidate, `L2³` are three of those below each other). No
part of a stored name has a superscript, so that a short name says one thing; `expanded` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len

from explorer.views.safe_text import safe

_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_RAISED = str.maketrans("0123456789", _DIGITS)
_LOWERED = str.maketrans(_DIGITS, "0123456789")


def run(part: str, count: int) -> str:
    """A part that comes so often in a row: `L⁶`, `L`."""
    return part if count == 1 else part + str(count).translate(_RAISED)


def by_runs(name: str) -> str:
    """The name with its runs counted."""
    return ".".join(run(part, len(list(same))) for part, same in groupby(name.split(".")))


def expanded(short: str) -> str:
    """The name that `by_runs` made this of."""
    return ".".join(part for text in short.split(".") for part in _parts(text))


def _parts(text: str) -> Iterable[str]:
    part = text.rstrip(_DIGITS)
    count = text[len(part) :].translate(_LOWERED)
    return [part] * int(count or 1)


@lru_cache(maxsize=4096)
def fitted_name(name: str, width: int) -> str:
    """The name made harmless: in full where it fits, else by runs, else the last ones of those."""
    if width <= 0:
        return ""
    if len(name) <= width and cell_len(full := safe(name)) <= width:
        return full
    text = safe(by_runs(name), len(name))
    if cell_len(text) <= width:
        return text
    while "." in text and cell_len(text) >= width:
        text = text.partition(".")[2]
    while cell_len(text) >= width:
        text = text[1:]
    return "…" + text
