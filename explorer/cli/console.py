"""Trees and nodes as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.contracts.errors import UsageError
from engine.contracts.metrics import measure
from explorer.views.doubts import DoubtView
from explorer.views.measured_text import interval_text
from explorer.views.node_view import NodeView
from explorer.views.safe_text import safe
from explorer.views.tree_text import tree_lines
from store import Run, TreeStore

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = tuple(
    measure(key)
    for key in ("similarity", "val_accuracy", "test_accuracy", "macs_reduction", "params")
)


def find_run(store: TreeStore) -> Run:
    """The newest run of a store. Raises UsageError for a store without any."""
    run = store.latest_run()
    if run is None:
        raise UsageError(f"{store.path.name} holds no run yet; `pe-explore auto MODEL` grows one")
    return run


def print_tree(nodes: Sequence[NodeView], best: str | None = None) -> None:
    """The tree as text: ● kept, ○ rejected, ◌ undecided or waiting, ◐ running, ✗ failed."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("node", no_wrap=True)
    for title in (*(column.title for column in COLUMNS), "margin [95 %]"):
        table.add_column(title, justify="right", no_wrap=True)
    for line, node in tree_lines(nodes):
        star = " ★" if node.name == best else ""
        gone = " (freed)" if node.freed else " (dropped)" if node.dropped else ""
        cells = (*(column.text(node.measure(column.key)) for column in COLUMNS), _margin(node))
        table.add_row(Text(line + star + gone, style="" if node.kept else "dim"), *map(Text, cells))
    wide_console().print(table)


def print_doubts(doubts: Sequence[DoubtView]) -> None:
    """What speaks against the figures above, one a line."""
    from rich.text import Text

    for doubt in doubts:
        wide_console().print(Text(f"doubt: {safe(doubt.words)}"), soft_wrap=True)


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
