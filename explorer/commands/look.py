"""`log` and `show`: reading a store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from explorer.nodes import node_objects, some_objects
from explorer.opening import UsageError
from store import Run, TreeStore

if TYPE_CHECKING:
    from rich.console import Console


def find_run(store: TreeStore) -> Run:
    """The newest run of a store. Raises UsageError for a store without any."""
    run = store.latest_run()
    if run is None:
        raise UsageError(f"{store.path.name} holds no run yet; `pe-explore auto MODEL` grows one")
    return run


LONG = 2_000  # nodes; a longer tree is printed whole only where that is asked for


def log(path: Path, *, limit: int | None = None, as_json: bool) -> None:
    """Prints the newest run's tree, or its newest nodes."""
    with TreeStore.open(path, read_only=True) as store:
        run = find_run(store)
        count = store.num_nodes(run.id)
        if limit is None and count > LONG and not as_json:
            limit = LONG
        if limit is None or limit >= count:
            objects = node_objects(store, run.id)
        else:
            names = [node.name for node in store.newest(run.id, limit)]
            objects = some_objects(store, run.id, names)
    if as_json:
        typer.echo(json.dumps({"run": run.name, "nodes": objects}, indent=2))
        return
    if len(objects) < count:
        typer.echo(
            f"the newest {len(objects):,} of {count:,} nodes; --limit N shows more", err=True
        )
    print_tree(objects)


def show(path: Path, name: str, *, as_json: bool) -> None:
    """Prints all that is known of one node."""
    with TreeStore.open(path, read_only=True) as store:
        run = find_run(store)
        node = store.node(run.id, name)
        (described,) = [o for o in node_objects(store, run.id) if o["name"] == name]
        value = {
            **described,
            "edit": node.edit,
            "epochs": [{"phase": e.phase, **e.values} for e in store.epochs(node.id)],
            "snapshots": {phase: store.snapshot_hash(node.id, phase) for phase in node.phases},
            "created_at": node.created_at,
        }
    if as_json:
        typer.echo(json.dumps(value, indent=2))
        return
    _print_node(value)


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


def _print_node(value: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for key, item in value.items():
        if key == "epochs":
            item = "\n".join(
                f"{e['phase']} {e['epoch'] + 1}: loss {e['loss']:.4f}, "
                f"training accuracy {e['accuracy']:.2f} %"
                for e in item
            )
        elif isinstance(item, dict | list):
            item = json.dumps(item)
        elif isinstance(item, float):
            item = f"{item:.4f}"
        table.add_row(
            Text(key.replace("_", " "), style="bold"), Text("-" if item is None else str(item))
        )
    wide_console().print(table)


def wide_console() -> Console:
    """A console as wide as the terminal; without one, wide enough to cut nothing off."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=500)
