"""`runs`: the runs of a store, and what those agree on that differ in their seeds only."""

from __future__ import annotations

from pathlib import Path

from engine.contracts.metrics import measure
from explorer.cli.console import cell, find_run, say, wide_console
from explorer.cli.json_types import print_json
from explorer.views.counting import listed
from explorer.views.runs import MEASURES, RunsListed, RunView, SeedView, Spread, runs_listed
from store import TreeStore

_LETTERS = {"layer": "L"}


def runs(path: Path, *, as_json: bool) -> None:
    """Prints them."""
    with TreeStore.open(path, read_only=True) as store:
        find_run(store)
        found = runs_listed(store)
    if as_json:
        print_json(found)
        return
    _print_runs(found)
    for group in found.seeds:
        _print_seeds(group)


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
    apart = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in run.settings.items())
    forked = f"forked from {run.forked_from}" if run.forked_from else ""
    return [
        str(run.run), run.name, str(run.seed), run.created_at[:16].replace("T", " "),
        f"{run.num_nodes:,}", way_in_letters(run.way), run.best.name,
        measure("val_accuracy").text(run.best.val_accuracy, "–"),
        measure("macs_reduction").text(run.best.macs_reduction, "–"),
        ", ".join(filter(None, (apart, forked))),
    ]  # fmt: skip


def way_in_letters(way: tuple[str, ...]) -> str:
    """`L F F`: what was kept at each step."""
    return " ".join(_LETTERS.get(structure, structure[:1].upper()) for structure in way) or "–"


def _print_seeds(group: SeedView) -> None:
    from rich.table import Table

    numbers = listed([str(run) for run in group.runs])
    agreed = sum(step.agree for step in group.steps)
    say("")
    decisions = f"{agreed} of {len(group.steps)} decisions agree"
    say(f"runs {numbers} differ in their seeds only: {decisions}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("step", "kept", *(measure(key).title for key in MEASURES)):
        table.add_column(title, justify="left" if title == "kept" else "right")
    for step in group.steps:
        kept = ", ".join(f"{structure} {count}×" for structure, count in step.kept.items())
        spreads = [_spread(key, step.measures.get(key)) for key in MEASURES]
        table.add_row(*map(cell, (str(step.step), kept, *spreads)))
    wide_console().print(table)


def _spread(key: str, spread: Spread | None) -> str:
    """`88.40 ± 0.31`."""
    if spread is None:
        return "–"
    mean = measure(key).text(spread.mean)
    return mean if spread.deviation is None else f"{mean} ± {measure(key).text(spread.deviation)}"
