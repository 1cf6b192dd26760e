"""`verify`: whether a store holds what it was told to hold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.contracts.errors import UsageError
from explorer.cli.console import say
from explorer.cli.json_types import FindingLine, NodeOfRun, Reexecuted, StoreVerified, print_json
from explorer.cli.progress import ByteProgress
from explorer.session.named_files import expanded
from explorer.session.readable import unreadable_rows
from explorer.views.counting import counted
from store.audit.verify import (
    KINDS,
    Verification,
    Who,
    verify,
)

_MOST_NAMES = 20


def verify_store(
    path: Path,
    *,
    reexecute: str | None = None,
    data: str | None = None,
    allow_factory: Sequence[str] = (),
    wanted: str | None = None,
    as_json: bool,
) -> int:
    """Prints what is wrong with a store; 0 where nothing is, else 1.

    With `reexecute`, the name of a node of a run (the newest unless one is `wanted`), that node is
    made again too, on the images that lie at `data` where their place is not known.
    """
    if data is not None and reexecute is None:
        raise UsageError("--data is for --reexecute NODE: the rest is checked without the images")
    if wanted is not None and reexecute is None:
        raise UsageError("--run is for --reexecute NODE: all runs are checked in any case")
    started = time.monotonic()
    with ByteProgress("checking pages", "read") as progress:
        found = _with_unreadable(verify(expanded(path), progress), expanded(path))
    seconds = time.monotonic() - started
    if not as_json:
        _print(path, found, seconds)
    sound, remade = not found.findings, None
    if reexecute is not None:
        from explorer.cli.commands.reproduce import print_reexecution, reexecute_node, shape_of

        again = reexecute_node(path, reexecute, data, allow_factory, wanted)
        remade = shape_of(again)
        sound = sound and again.verdict != "different"
        if not as_json:
            print_reexecution(again)
    if as_json:
        print_json(_shape(path, found, seconds, remade))
    return 0 if sound else 1


def _with_unreadable(found: Verification, path: Path) -> Verification:
    """What was found, and the rows whose documents say nothing that can be used."""
    if any(finding.kind in ("schema", "pages") for finding in found.findings):
        return found  # it cannot be opened
    return replace(found, findings=(*found.findings, *unreadable_rows(path)))


def _shape(
    path: Path, found: Verification, seconds: float, remade: Reexecuted | None
) -> StoreVerified:
    return StoreVerified(
        store=str(path),
        sound=not found.findings,
        findings=tuple(FindingLine(f.kind, f.text, _nodes(f.nodes)) for f in found.findings),
        usable=_nodes(found.usable),
        unusable=_nodes(found.unusable),
        freed=_nodes(found.freed),
        checked=dict(found.num_checked),
        snapshots=found.num_snapshots,
        bytes=found.num_bytes,
        seconds=round(seconds, 3),
        reexecuted=remade,
    )


def _nodes(nodes: Sequence[Who]) -> tuple[NodeOfRun, ...]:
    return tuple(NodeOfRun(run, name) for run, name in nodes)


def _print(path: Path, found: Verification, seconds: float) -> None:
    for kind, what in KINDS.items():
        say(_line_of(kind, what, found))
    for finding in found.findings:
        say(f"{finding.kind}: {finding.text}")
    count = len(found.findings)
    verdict = counted(count, "finding") if count else "sound"
    num_nodes = len(found.usable) + len(found.unusable)
    say(
        f"{path.name}: {verdict}; {counted(found.num_snapshots, 'snapshot')}, "
        f"{found.num_bytes / 1e6:,.1f} MB, {counted(num_nodes, 'node')} with weights, "
        f"{len(found.freed)} freed ({seconds:.1f} s)"
    )
    if count:
        several_runs = len({run for run, _ in (*found.usable, *found.unusable)}) > 1
        say(f"can be used: {_names(found.usable, several_runs)}")
        say(f"cannot be used: {_names(found.unusable, several_runs)}")


def _line_of(kind: str, what: str, found: Verification) -> str:
    """One check: ✓ or ✗, what was looked at, and how much was found; – where nothing could be."""
    count = sum(finding.kind == kind for finding in found.findings)
    checked = found.num_checked.get(kind)
    mark = "✗" if count else "–" if checked is None else "✓"
    amount = f"{checked or 0:>9,} {what}"
    return f"{mark} {kind:<10} {amount}" + (f": {count} wrong" if count else "")


def _names(nodes: Sequence[Who], with_run: bool) -> str:
    shown = [f"{name} (run {run})" if with_run else name for run, name in nodes]
    more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
    return (", ".join(shown[:_MOST_NAMES]) + more) or "none"
