"""`export`: a node as a checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer

from engine.contracts.codec import decode
from engine.contracts.errors import UsageError
from engine.contracts.settings import Settings
from explorer.cli.commands.train import run_job
from explorer.cli.console import find_run
from explorer.cli.json_types import NodeExported, print_json
from explorer.cli.progress import Reporter
from explorer.session.session import Session
from explorer.views.best_node import best
from explorer.views.stored_nodes import node_views
from store import TreeStore


def export(store_path: Path, node_name: str, output: Path, *, as_json: bool) -> None:
    """Writes a node of the store's newest run as a checkpoint."""
    if output.suffix != ".pt":
        raise UsageError(f"{output.name}: only .pt can be written; name it {output.stem}.pt")
    with TreeStore.open(store_path, read_only=True) as store:
        run = find_run(store)
        views = node_views(store, run.id)
        if node_name == "best":
            node_name = best(views, Settings.from_dict(run.settings)).name
        node = store.node(run.id, node_name)
        if node.state != "ready":
            raise UsageError(
                f"{node_name} is {node.state}; only a ready node has weights to export"
            )
        (described,) = [view for view in views if view.name == node_name]
        with tempfile.TemporaryDirectory(prefix="pe-explore-") as folder:
            session = Session(store, run, None, Path(folder))  # type: ignore[arg-type]
            job = {
                "kind": "export",
                "node": session.reference(node),
                "destination": str(output.expanduser().resolve()),
                "data": run.data,
                "metrics": {**described.as_json(), "run": run.name, "store": store.path.name},
            }
            with Reporter() as reporter:
                result = run_job(job, reporter)
    exported = decode(NodeExported, {"node": node_name, **result})
    if as_json:
        print_json(exported)
    else:
        typer.echo(f"{exported.path}: {node_name}, {exported.size_bytes / 1e6:.2f} MB")
