"""`verify`: whether a store holds what it was told to hold."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from explorer.text import safe
from store.verify import Verification, Who, verify

QUIET_SECONDS = 2.0  # what takes no longer says nothing on its way
LINE_SECONDS = 5.0  # between two lines, without a terminal
_MOST_NAMES = 20


def verify_store(path: Path, *, reexecute: str | None = None, as_json: bool) -> int:
    """Prints what is wrong with a store; 0 where nothing is, else 1.

    With `reexecute`, the name of a node of the newest run, that node is made again too.
    """
    started = time.monotonic()
    with _Progress() as progress:
        found = verify(path.expanduser(), progress)
    about = _as_dict(path, found, time.monotonic() - started)
    if not as_json:
        _print(path, found, about["seconds"])
    sound = not found.findings
    if reexecute is not None:
        from explorer.commands.reexecute import as_dict, print_reexecution, reexecute_node

        again = reexecute_node(path, reexecute)
        about["reexecuted"] = as_dict(again)
        sound = sound and again.verdict != "different"
        if not as_json:
            print_reexecution(again)
    if as_json:
        typer.echo(json.dumps(about, indent=2))
    return 0 if sound else 1


class _Progress:
    """Says on stderr how much has been read and how long the rest will take."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.said = 0.0

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.said and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        passed = now - self.started
        at_terminal = sys.stderr.isatty()
        if passed < QUIET_SECONDS or now - self.said < (0.2 if at_terminal else LINE_SECONDS):
            return
        self.said = now
        left = passed * (total - done) / max(done, 1)
        line = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB read, {_duration(left)} left"
        sys.stderr.write(f"\r\x1b[K{line}" if at_terminal else f"{line}\n")
        sys.stderr.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _as_dict(path: Path, found: Verification, seconds: float) -> dict[str, Any]:
    return {
        "store": str(path),
        "sound": not found.findings,
        "findings": [
            {"kind": f.kind, "text": f.text, "nodes": _objects(f.nodes)} for f in found.findings
        ],
        "usable": _objects(found.usable),
        "unusable": _objects(found.unusable),
        "freed": _objects(found.freed),
        "snapshots": found.num_snapshots,
        "bytes": found.num_bytes,
        "seconds": round(seconds, 3),
    }


def _objects(nodes: Sequence[Who]) -> list[dict[str, Any]]:
    return [{"run": run, "node": name} for run, name in nodes]


def _print(path: Path, found: Verification, seconds: float) -> None:
    for finding in found.findings:
        typer.echo(f"{finding.kind}: {safe(finding.text)}")
    count = len(found.findings)
    verdict = "sound" if not count else f"{count} finding{'s' if count > 1 else ''}"
    typer.echo(
        f"{safe(path.name)}: {verdict}; {found.num_snapshots} snapshots, "
        f"{found.num_bytes / 1e6:,.1f} MB, {len(found.usable) + len(found.unusable)} nodes with "
        f"weights, {len(found.freed)} freed ({seconds:.1f} s)"
    )
    if count:
        several_runs = len({run for run, _ in (*found.usable, *found.unusable)}) > 1
        typer.echo(f"can be used: {_names(found.usable, several_runs)}")
        typer.echo(f"cannot be used: {_names(found.unusable, several_runs)}")


def _names(nodes: Sequence[Who], with_run: bool) -> str:
    shown = [f"{safe(name)} (run {run})" if with_run else safe(name) for run, name in nodes]
    more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
    return (", ".join(shown[:_MOST_NAMES]) + more) or "none"
