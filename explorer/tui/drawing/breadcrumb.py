"""The way from the root to a node on one line, by runs: `R.F.L⁶.F⁴`. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len

from explorer.tui.drawing.tree import last_part
from explorer.views.run_names import run
from explorer.views.safe_text import safe
from explorer.views.tree.model import TreeModel

_MOST = 3_000  # ancestors that are looked at


class Crumb(NamedTuple):
    """A run of ancestors: what it is called, and the last of them, to which a click leads."""

    text: str
    number: int


def crumbs(model: TreeModel, number: int, width: int) -> list[Crumb]:
    """The runs from the root to a node, as many of the last ones as fit; `…` stands for others."""
    found: list[Crumb] = []
    cells = 0
    for part, count, last in _runs(model, number):
        text = run(safe(part, 40), count)
        cells += cell_len(text) + 1
        if cells + len("R.….") > width and found and last:
            found += [Crumb("…", last), Crumb(safe(model.nodes[0].name, 4), 0)]
            break
        found.append(Crumb(text, last))
    return found[::-1]


def _runs(model: TreeModel, number: int) -> list[tuple[str, int, int]]:
    """Parts, how often they come in a row, and the deepest node of each; the deepest first."""
    runs: list[tuple[str, int, int]] = []
    for each in reversed(model.lineage(number, _MOST)):
        part = last_part(model.nodes[each].name)
        if runs and runs[-1][0] == part:
            runs[-1] = (part, runs[-1][1] + 1, runs[-1][2])
        else:
            runs.append((part, 1, each))
    return runs
