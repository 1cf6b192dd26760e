"""`export`: a node as a file for others to use."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from engine.contracts.errors import UsageError
from engine.contracts.export_formats import check_suffix
from engine.contracts.jobs import Export, Exported, JobRequest, Places
from explorer.cli.commands.train import run_job
from explorer.cli.console import find_run, say
from explorer.cli.json_types import NodeExported, print_json
from explorer.cli.progress import Reporter
from explorer.cli.temporary import temporary_folder
from explorer.session.artifacts import Artifacts
from explorer.session.documents import RunDocument, network_of, newest_phase
from explorer.session.factories import Factories
from explorer.session.named_files import check_output, expanded
from explorer.views.best_node import best
from explorer.views.stored_nodes import node_views, some_node_views
from store import TreeStore


def export(
    store_path: Path,
    node_name: str,
    output: Path,
    *,
    allow_factory: Sequence[str] = (),
    wanted: str | None = None,
    as_json: bool,
) -> None:
    """Writes a node of a run (the newest unless one is `wanted`) as the suffix says."""
    check_suffix(output.suffix, output.name)
    output = expanded(output).absolute()
    check_output(output, "OUT")
    with TreeStore.open(store_path, read_only=True) as store:
        run = find_run(store, wanted)
        document = RunDocument.of(run)
        factory = Factories(allow_factory).needed_by(document)
        if node_name == "best":
            node_name = best(node_views(store, run.id), document.settings).name
        node = store.node(run.id, node_name)
        if node.state != "ready":
            raise UsageError(
                f"{node_name} is {node.state}; only a ready node has weights to export"
            )
        (described,) = some_node_views(store, run.id, [node_name])
        with temporary_folder() as folder:
            artifacts = Artifacts(store, folder)
            network = network_of(store, document, node, newest_phase(node))
            artifacts.path(network.snapshot)
            job = Export(
                network,
                document.data,
                {**described.as_json(), "run": run.name, "store": store.path.name},
                format=output.suffix,
            )
            destination = str(output)
            request = JobRequest(
                uuid.uuid4().hex,
                job,
                f"export {node_name}",
                Places(output=destination, factory=factory),
            )
            with Reporter() as reporter:
                result = cast(Exported, run_job(request, folder, reporter))
    exported = NodeExported(node_name, destination, result.size_bytes, result.seconds)
    if as_json:
        print_json(exported)
    else:
        say(f"{exported.path}: {node_name}, {exported.size_bytes / 1e6:.2f} MB")
