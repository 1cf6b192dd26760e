"""`gc`: frees the weights of dropped nodes, after telling which."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import typer

from engine.contracts.errors import UsageError
from explorer.cli.console import say
from explorer.cli.json_types import FreedResult, StoreFreed, print_json
from explorer.cli.sessions import held_in_background
from explorer.session.named_files import expanded
from store import Freeable, TreeStore

_MOST_NAMES = 20


def gc(path: Path, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Frees what can be freed, once a person has agreed."""
    path = expanded(path)
    with held_in_background(lambda: path), TreeStore.open(path, read_only=dry_run) as store:
        found, several_runs = store.freeable(), len(store.runs()) > 1
        if not as_json:
            say(_told(found, several_runs))
        freed, before = False, path.stat().st_size
        if found.results and not dry_run:
            _ask(found, yes)
            store.free()
            freed = True
            _shrink(store, path)
    after = path.stat().st_size
    if as_json:
        print_json(_shape(path, found, freed, before, after))
    elif freed:
        say(f"freed; {path.name} has {after / 1e6:,.1f} MB, from {before / 1e6:,.1f}")


def _told(found: Freeable, several_runs: bool) -> str:
    if not found.results:
        return "nothing to free: no dropped node has weights (drop nodes first: pe-explore drop)"
    names = list(
        dict.fromkeys(
            f"{r.name} (run {r.run_id})" if several_runs else r.name for r in found.results
        )
    )
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (
        f"{found.num_bytes / 1e6:,.1f} MB of weights of {len(names)} dropped nodes: "
        f"{', '.join(names[:_MOST_NAMES])}{more}. Their place in the tree and their measurements "
        "stay"
    )


def _ask(found: Freeable, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("freed weights do not come back: say --yes, or look first with --dry-run")
    if not typer.confirm("Free them? They do not come back", err=True):
        raise typer.Exit(1)


def _shrink(store: TreeStore, path: Path) -> None:
    """Makes the file smaller where the disk has room for writing it anew."""
    room = shutil.disk_usage(path.parent).free
    if room < 2 * path.stat().st_size:
        say(
            f"pe-explore: {path.name} keeps its size, for the disk has no room to write it "
            "anew; what is free in it is used by the next weights",
            err=True,
        )
        return
    store.shrink()


def _shape(path: Path, found: Freeable, freed: bool, before: int, after: int) -> StoreFreed:
    results = tuple(FreedResult(r.run_id, r.name, r.phase) for r in found.results)
    return StoreFreed(str(path), freed, results, found.num_bytes, before, after)
