"""`pack` and `merge`: trees that go from file to file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from explorer.cli.console import find_run
from explorer.views.safe_text import safe
from store import TreeStore
from store.transfer import merge as merging
from store.transfer import pack as packing

_OUTCOMES = {
    "copied": "copied",
    "extended": "extended",
    "held": "already there",
    "refused": "refused",
}


def pack(path: Path, out: Path, nodes: Sequence[str], *, replace: bool, as_json: bool) -> None:
    """Writes a store, or some nodes of its newest run, to a new file."""
    path, out = path.expanduser(), out.expanduser()
    if nodes:
        with TreeStore.open(path, read_only=True) as store:
            run_id = find_run(store).id
        packing.pack_nodes(path, out, run_id, nodes, replace=replace)
    else:
        packing.pack(path, out, _progress, replace=replace)
    with TreeStore.open(out, read_only=True) as packed:
        runs = packed.runs()
        num_nodes = sum(packed.num_nodes(run.id) for run in runs)
    num_bytes, num_bytes_before = out.stat().st_size, path.stat().st_size
    if as_json:
        about = {
            "store": str(out), "runs": len(runs), "nodes": num_nodes, "bytes": num_bytes,
            "bytes_before": num_bytes_before,
        }  # fmt: skip
        typer.echo(json.dumps(about, indent=2))
        return
    typer.echo(
        f"{safe(str(out))}: {len(runs)} run{'s' if len(runs) != 1 else ''}, {num_nodes} nodes, "
        f"{num_bytes / 1e6:,.1f} MB (of {num_bytes_before / 1e6:,.1f} MB)"
    )


def merge(into: Path, source: Path, *, as_json: bool) -> int:
    """Takes the runs of `source` over into `into`; 1 where a run was refused, else 0."""
    merged = merging.merge(into.expanduser(), source.expanduser())
    if as_json:
        runs = [
            {
                "run": each.run_id, "uuid": each.uuid, "name": each.name, "outcome": each.outcome,
                "bytes": each.num_bytes, "why": each.why or None,
            }
            for each in merged
        ]  # fmt: skip
        typer.echo(json.dumps({"store": str(into), "runs": runs}, indent=2))
    else:
        for each in merged:
            why = f": {each.why}" if each.why else f", {each.num_bytes / 1e6:,.1f} MB of weights"
            why = "" if each.outcome == "held" else why
            line = f"{each.name} ({each.uuid[:8]}): {_OUTCOMES[each.outcome]}{why}"
            typer.echo(safe(line))
        if not merged:
            typer.echo(f"{safe(source.name)} holds no run")
    return 1 if any(each.outcome == "refused" for each in merged) else 0


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\r\x1b[K" if done == total else ""
        sys.stderr.write(f"\r{100 * done // max(total, 1)} % written{end}")
        sys.stderr.flush()
