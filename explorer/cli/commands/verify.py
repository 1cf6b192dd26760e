"""`verify`: whether a store holds what it was told to hold."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from explorer.views.safe_text import safe
from store.audit.verify import (
    KINDS,
    Verification,
    Who,
    verify,
)

if TYPE_CHECKING:
    from rich.console import Console

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
        from explorer.cli.commands.reproduce import as_dict, print_reexecution, reexecute_node

        again = reexecute_node(path, reexecute)
        about["reexecuted"] = as_dict(again)
        sound = sound and again.verdict != "different"
        if not as_json:
            print_reexecution(again)
    if as_json:
        typer.echo(json.dumps(about, indent=2))
    return 0 if sound else 1


class _Progress:
    """Says on stderr how much has been read and how long the rest will take.

    Pages come first, of which nobody tells how far they are; then the snapshots.
    """

    def __init__(self) -> None:
        self.done, self.total = 0, 0  # bytes of snapshots
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> _Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def _tell(self) -> None:
        if self._ended.wait(QUIET_SECONDS):
            return
        from rich.console import Console

        console = Console(stderr=True, highlight=False)
        if console.is_terminal:
            self._draw(console)
        else:
            self._print_lines()

    def _draw(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(24), TimeRemainingColumn()
        with Progress(*columns, console=console, transient=True) as bars:
            task = bars.add_task("pages", total=None)
            while not self._ended.wait(0.2):
                if self.total:
                    text = f"{self.done / 1e6:,.0f} of {self.total / 1e6:,.0f} MB"
                    bars.update(task, description=text, completed=self.done, total=self.total)

    def _print_lines(self) -> None:
        started, begun = time.monotonic(), 0
        while True:
            if not self.total:
                line, started = "checking pages", time.monotonic()
            else:
                begun = begun or self.done
                rate = (self.done - begun) / max(time.monotonic() - started, 1e-3)
                left = f", {_duration((self.total - self.done) / rate)} left" if rate else ""
                line = f"{self.done / 1e6:,.0f} of {self.total / 1e6:,.0f} MB read{left}"
            typer.echo(line, err=True)
            if self._ended.wait(LINE_SECONDS):
                return


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
        "checked": dict(found.num_checked),
        "snapshots": found.num_snapshots,
        "bytes": found.num_bytes,
        "seconds": round(seconds, 3),
    }


def _objects(nodes: Sequence[Who]) -> list[dict[str, Any]]:
    return [{"run": run, "node": name} for run, name in nodes]


def _print(path: Path, found: Verification, seconds: float) -> None:
    for kind, what in KINDS.items():
        typer.echo(_line_of(kind, what, found))
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


def _line_of(kind: str, what: str, found: Verification) -> str:
    """One check: ✓ or ✗, what was looked at, and how much was found; – where nothing could be."""
    count = sum(finding.kind == kind for finding in found.findings)
    checked = found.num_checked.get(kind)
    mark = "✗" if count else "–" if checked is None else "✓"
    amount = f"{checked or 0:>9,} {what}"
    return f"{mark} {kind:<10} {amount}" + (f": {count} wrong" if count else "")


def _names(nodes: Sequence[Who], with_run: bool) -> str:
    shown = [f"{safe(name)} (run {run})" if with_run else safe(name) for run, name in nodes]
    more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
    return (", ".join(shown[:_MOST_NAMES]) + more) or "none"
