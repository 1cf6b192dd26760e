"""`export`: a node as a checkpoint."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import typer

from engine.contracts.errors import UsageError
from engine.contracts.settings import Settings
from explorer.cli.commands.train import run_job
from explorer.cli.console import find_run
from explorer.cli.progress import Reporter
from explorer.session.session import Session
from explorer.views.node_json import best, node_objects
from store import TreeStore


def export(store_path: Path, node_name: str, output: Path, *, as_json: bool) -> None:
    """Writes a node of the store's newest run as a checkpoint."""
    if output.suffix != ".pt":
        raise UsageError(f"{output.name}: only .pt can be written; name it {output.stem}.pt")
    with TreeStore.open(store_path, read_only=True) as store:
        run = find_run(store)
        objects = node_objects(store, run.id)
        if node_name == "best":
            node_name = best(objects, Settings.from_dict(run.settings))["name"]
        node = store.node(run.id, node_name)
        if node.state != "ready":
            raise UsageError(
                f"{node_name} is {node.state}; only a ready node has weights to export"
            )
        (described,) = [o for o in objects if o["name"] == node_name]
        with tempfile.TemporaryDirectory(prefix="pe-explore-") as folder:
            session = Session(store, run, None, Path(folder))  # type: ignore[arg-type]
            job = {
                "kind": "export",
                "node": session.reference(node),
                "destination": str(output.expanduser().resolve()),
                "data": run.data,
                "metrics": {**described, "run": run.name, "store": store.path.name},
            }
            with Reporter() as reporter:
                result = run_job(job, reporter)
    if as_json:
        typer.echo(json.dumps({"node": node_name, **result}, indent=2))
    else:
        typer.echo(f"{result['path']}: {node_name}, {result['size_bytes'] / 1e6:.2f} MB")
