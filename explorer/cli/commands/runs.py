"""`runs`: the runs of a store, and what those agree on that began alike."""

from __future__ import annotations

from pathlib import Path

from engine.contracts.metrics import measure
from explorer.cli.console import cell, find_run, say, wide_console
from explorer.cli.json_types import print_json
from explorer.views.runs import MEASURES, RunsListed, RunView, SeedView, runs_listed
from explorer.views.runs_text import (
    begun,
    differs,
    group_line,
    kept_words,
    parting_line,
    spread_text,
    way_in_letters,
)
from store import TreeStore


def runs(path: Path, *, as_json: bool) -> None:
    """Prints them."""
    with TreeStore.open(path, read_only=True) as store:
        find_run(store)
        found = runs_listed(store)
    if as_json:
        print_json(found)
        return
    _print_runs(found)
    for group in (*found.seeds, *found.forks):
        _print_group(group)


def _print_runs(found: RunsListed) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "name", "seed", "begun", "nodes", "kept path", "best", "val %", "MACs −%",
                  "differs from the newest in"):  # fmt: skip
        table.add_column(title, justify="right" if title in ("run", "seed", "nodes") else "left")
    for run in found.runs:
        table.add_row(*map(cell, _row(run)))
    wide_console().print(table)


def _row(run: RunView) -> list[str]:
    return [
        str(run.run), run.name, str(run.seed), begun(run),
        f"{run.num_nodes:,}", way_in_letters(run.way), run.best.name,
        measure("val_accuracy").text(run.best.val_accuracy, "–"),
        measure("macs_reduction").text(run.best.macs_reduction, "–"),
        differs(run),
    ]  # fmt: skip


def _print_group(group: SeedView) -> None:
    from rich.table import Table

    say("")
    say(group_line(group))
    if group.parts_at is not None:
        say(parting_line(group))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("step", "kept", *(measure(key).title for key in MEASURES)):
        table.add_column(title, justify="left" if title == "kept" else "right")
    for step in group.steps:
        spreads = [spread_text(key, step.measures.get(key)) for key in MEASURES]
        table.add_row(*map(cell, (str(step.step), kept_words(step.kept), *spreads)))
    wide_console().print(table)
