"""Trees and nodes as text on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.contracts.errors import UsageError
from store import Run, TreeStore

if TYPE_CHECKING:
    from rich.console import Console


def find_run(store: TreeStore) -> Run:
    """The newest run of a store. Raises UsageError for a store without any."""
    run = store.latest_run()
    if run is None:
        raise UsageError(f"{store.path.name} holds no run yet; `pe-explore auto MODEL` grows one")
    return run


def print_tree(objects: Sequence[dict[str, Any]], best: str | None = None) -> None:
    """The tree as text: ● kept, ○ rejected, ◌ undecided or waiting, ◐ running, ✗ failed."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("node", no_wrap=True)
    for title in ("CKA", "val %", "test %", "MACs −%", "params", "margin [95 %]"):
        table.add_column(title, justify="right", no_wrap=True)
    for line, value in tree_lines(objects):
        star = " ★" if value["name"] == best else ""
        gone = " (freed)" if value["freed"] else " (dropped)" if value["dropped"] else ""
        table.add_row(
            Text(line + star + gone, style="" if value["kept"] else "dim"),
            *(Text(cell) for cell in _cells(value)),
        )
    wide_console().print(table)


def tree_lines(objects: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Each node with its line of the drawing, children below their parents."""
    names = {value["name"] for value in objects}
    children: dict[str | None, list[dict[str, Any]]] = {}
    for value in objects:
        # Of a part of a tree, what lacks its parent begins a tree of its own.
        parent = value["parent"] if value["parent"] in names else None
        children.setdefault(parent, []).append(value)
    lines: list[tuple[str, dict[str, Any]]] = []
    # (node, its stem, what its children are indented by); a stack, for trees can be deep.
    stack = [(value, "", "") for value in reversed(children.get(None, []))]
    while stack:
        value, stem, indent = stack.pop()
        lines.append((f"{stem}{glyph(value)} {value['name']}", value))
        below = children.get(value["name"], [])
        for child in reversed(below):
            last = child is below[-1]
            stack.append(
                (child, indent + ("└ " if last else "├ "), indent + ("  " if last else "│ "))
            )
    return lines


def glyph(value: dict[str, Any]) -> str:
    """The state of a node as a shape."""
    if value["state"] == "failed":
        return "✗"
    if value["state"] == "running":
        return "◐"
    if value["kept"]:
        return "●"
    return "○" if value["kept"] is False else "◌"


def _cells(value: dict[str, Any]) -> list[str]:
    margin = ""
    if value.get("margin") is not None:
        margin = f"{value['margin']:+.4f}"
        if value.get("margin_low") is not None:
            margin += f" [{value['margin_low']:+.4f}, {value['margin_high']:+.4f}]"
        if value.get("too_close"):
            margin += " too close"
    return [
        _number(value["similarity"], "{:.4f}"),
        _number(value["val_accuracy"], "{:.2f}"),
        _number(value["test_accuracy"], "{:.2f}"),
        _number(value["macs_reduction"], "{:.2f}"),
        _number(value["params"], "{:,}"),
        margin,
    ]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def wide_console() -> Console:
    """A console as wide as the terminal; without one, wide enough to cut nothing off."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=500)
