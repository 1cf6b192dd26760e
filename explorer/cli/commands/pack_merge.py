"""`pack` and `merge`: trees that go from file to file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from engine.contracts.errors import UsageError
from explorer.cli.console import find_run, say
from explorer.cli.json_types import RunMerged, StorePacked, StoresMerged, print_json
from explorer.cli.progress import ByteProgress
from explorer.session.named_files import check_output, expanded
from explorer.views.counting import counted
from store import TreeStore
from store.transfer import merge as merging
from store.transfer import pack as packing

_OUTCOMES = {
    "copied": "copied",
    "extended": "extended",
    "held": "already there",
    "refused": "refused",
}


def pack(
    path: Path,
    out: Path,
    nodes: Sequence[str],
    *,
    wanted: str | None = None,
    replace: bool,
    as_json: bool,
) -> None:
    """Writes a store, or some nodes of a run (the newest unless one is `wanted`), to a new file."""
    if wanted is not None and not nodes:
        raise UsageError("--run says of which run --nodes are; a whole store is packed with all")
    path, out = expanded(path), expanded(out)
    check_output(out, "OUT")
    if nodes:
        with TreeStore.open(path, read_only=True) as store:
            run_id = find_run(store, wanted).id
        packing.pack_nodes(path, out, run_id, nodes, replace=replace)
    else:
        with ByteProgress("copying", "written") as progress:
            packing.pack(path, out, progress, replace=replace)
    with TreeStore.open(out, read_only=True) as packed:
        runs = packed.runs()
        num_nodes = sum(packed.num_nodes(run.id) for run in runs)
    num_bytes, num_bytes_before = out.stat().st_size, path.stat().st_size
    if as_json:
        print_json(StorePacked(str(out), len(runs), num_nodes, num_bytes, num_bytes_before))
        return
    say(
        f"{out}: {counted(len(runs), 'run')}, {counted(num_nodes, 'node')}, "
        f"{num_bytes / 1e6:,.1f} MB (of {num_bytes_before / 1e6:,.1f} MB)"
    )


def merge(into: Path, source: Path, *, as_json: bool) -> int:
    """Takes the runs of `source` over into `into`; 1 where a run was refused, else 0."""
    into, source = expanded(into), expanded(source)
    if not os.path.lexists(into):
        check_output(into, "INTO")
    merged = merging.merge(into, source)
    if as_json:
        runs = (
            RunMerged(m.run_id, m.uuid, m.name, m.outcome, m.num_bytes, m.why or None)
            for m in merged
        )
        print_json(StoresMerged(str(into), tuple(runs)))
    else:
        for each in merged:
            why = f": {each.why}" if each.why else f", {each.num_bytes / 1e6:,.1f} MB of weights"
            why = "" if each.outcome == "held" else why
            say(f"{each.name} ({each.uuid[:8]}): {_OUTCOMES[each.outcome]}{why}")
        if not merged:
            say(f"{source.name} holds no run")
    return 1 if any(each.outcome == "refused" for each in merged) else 0
