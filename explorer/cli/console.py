"""What commands print, made harmless: lines, cells of tables, and the table of a tree.

Names, notes, reasons and errors come from stores and files of others. All that a command prints
goes through `say` or `cell` (`tests/contracts/test_printing.py`), JSON through `print_json`, and
what is told meanwhile through `progress.Reporter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from engine.contracts.metrics import Measure, measure
from explorer.session.known_run import find_run as find_run
from explorer.views.doubts import DoubtView
from explorer.views.measured_text import interval_text
from explorer.views.node_view import NodeView
from explorer.views.safe_text import safe
from explorer.views.tree_text import tree_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_LONGEST_LINE, _LONGEST_CELL = 100_000, 20_000  # characters

COLUMNS = tuple(
    measure(key)
    for key in ("similarity", "val_accuracy", "test_accuracy", "macs_reduction", "params")
)


def say(line: str, *, err: bool = False) -> None:
    """Prints one line, whatever is in it."""
    typer.echo(safe(line, _LONGEST_LINE), err=err)


def cell(text: str, style: str = "", *, longest: int = _LONGEST_CELL) -> Text:
    """A cell of a table, or a line of a screen: never markup, and one line."""
    from rich.text import Text

    return Text(safe(text, longest), style)


def columns_of(nodes: Sequence[NodeView]) -> list[Measure]:
    """What is told of nodes: their similarity by the name of its measure, and the second one where
    there is one."""
    by = next((node.similarity_by for node in nodes), "cka")
    columns = [measure(column.key, by) for column in COLUMNS]
    if any("similarity_second" in node.metrics for node in nodes):
        columns.insert(1, measure("similarity_second"))
    return columns


def print_tree(nodes: Sequence[NodeView], best: str | None = None) -> None:
    """The tree as text: ● kept, ○ rejected, ◇ undecided, ◌ waiting, ◐ running, ✗ failed."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("node", no_wrap=True)
    columns = columns_of(nodes)
    for title in (*(column.title for column in columns), "margin [95 %]"):
        table.add_column(title, justify="right", no_wrap=True)
    for line, node in tree_lines(nodes):
        star = " ★" if node.name == best else ""
        gone = " (freed)" if node.freed else " (dropped)" if node.dropped else ""
        cells = (*(column.text(node.measure(column.key)) for column in columns), _margin(node))
        table.add_row(cell(line + gone + star, "" if node.kept else "dim"), *map(cell, cells))
    wide_console().print(table)


def print_doubts(doubts: Sequence[DoubtView]) -> None:
    """What speaks against the figures above, one a line."""
    for doubt in doubts:
        say(f"doubt: {doubt.words}")


def _margin(node: NodeView) -> str:
    margin = node.margin
    if margin is None:
        return ""
    text = interval_text(margin.value, margin.low, margin.high)
    return f"{text} too close" if margin.too_close else text


def wide_console() -> Console:
    """A console as wide as the terminal; without one, wide enough to cut nothing off."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=500)
