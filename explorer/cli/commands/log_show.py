"""`log` and `show`: reading a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from explorer.cli.console import find_run, print_tree, wide_console
from explorer.views.node_json import node_objects, some_objects
from store import TreeStore

if TYPE_CHECKING:
    pass


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
