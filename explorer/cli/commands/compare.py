"""`compare`: nodes side by side, or two runs and where they went different ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from engine.contracts.errors import UsageError
from engine.contracts.settings import read_settings
from explorer.cli.console import find_run, wide_console
from explorer.views.node_diff import Decided, differences, side_by_side
from explorer.views.node_json import best, node_objects, some_objects
from explorer.views.run_diff import (
    Comparison,
    Difference,
    Side,
    compare_runs,
)
from explorer.views.safe_text import safe
from store import Run, TreeStore

_ROWS = (
    ("structure", "structure", "{}"),
    ("removes", "removes", "{}"),
    ("state", "state", "{}"),
    ("kept", "kept", "{}"),
    ("decided by", "decided_by", "{}"),
    ("CKA to parent", "similarity", "{:.4f}"),
    ("val acc %", "val_accuracy", "{:.2f}"),
    ("before recovery", "val_accuracy_before", "{:.2f}"),
    ("test acc %", "test_accuracy", "{:.2f}"),
    ("MACs", "macs", "{:,}"),
    ("MACs removed %", "macs_reduction", "{:.2f}"),
    ("parameters", "params", "{:,}"),
    ("latency ms", "latency_ms", "{:.3f}"),
    ("× the latency of its parent", "latency_ratio", "{:.2f}"),
    ("seconds of work", "seconds", "{:,.1f}"),
    ("margin", "margin", "{:+.4f}"),
    ("reason", "reason", "{}"),
    ("tags", "tags", "{}"),
    ("note", "note", "{}"),
)
_KINDS = {
    "root": "the weights of their roots differ",
    "candidates": "they were offered different candidates",
    "decision": "they kept different candidates",
    "end": "one of them ends there",
}


def compare(
    path: Path, names: Sequence[str], runs: Sequence[str], run: str | None, *, as_json: bool
) -> None:
    """Nodes of one run (the newest), or two runs of one store or of two."""
    if runs:
        if run is not None:
            raise UsageError("--run names the run of nodes; --runs A B names both runs already")
        if names:
            raise UsageError("--runs compares runs of one store; leave out the nodes")
        compare_two(path, path, runs, as_json=as_json)
    elif len(names) == 1 and (names[0].endswith(".db") or Path(names[0]).is_file()):
        compare_two(path, Path(names[0]), () if run is None else (run,), as_json=as_json)
    elif names:
        compare_nodes(path, names, run, as_json=as_json)
    else:
        raise UsageError("say what to compare: nodes, another store, or --runs A B")


def compare_nodes(path: Path, names: Sequence[str], wanted: str | None, *, as_json: bool) -> None:
    """Nodes of a run, in the order given; a single one beside its parent."""
    with TreeStore.open(path, read_only=True) as store:
        run = _run(store, wanted)
        if len(names) == 1 and "." in names[0]:
            store.node(run.id, names[0])
            names = [names[0].rpartition(".")[0], names[0]]
        names = list(dict.fromkeys(names))
        found = {value["name"]: value for value in some_objects(store, run.id, names)}
    objects = [found[name] for name in names]
    gaps = differences(objects)
    if as_json:
        apart = dict(zip(names[1:], gaps[1:], strict=True))
        about = {"run": run.name, "nodes": objects, "differences": apart}
        typer.echo(json.dumps(about, indent=2))
        return
    _print_nodes(objects, gaps)


def compare_two(path: Path, other: Path, runs: Sequence[str], *, as_json: bool) -> None:
    """Two runs (by id or name): two of a store, or one of each of two stores. The newest ones
    where none is named; a single name is that of the first one."""
    with ExitStack() as stack:
        store = stack.enter_context(TreeStore.open(path, read_only=True))
        theirs = store
        if len(runs) < 2:
            theirs = stack.enter_context(TreeStore.open(other, read_only=True))
        names = (*runs, None, None)[:2]
        first, second = (store, _run(store, names[0])), (theirs, _run(theirs, names[1]))
        found = compare_runs(first, second)
        trees = [node_objects(where, run.id) for where, run in (first, second)]
    sides = [
        {"store": str(where.path), "run": run.id, "name": run.name, "seed": run.seed,
         "best": best(tree, read_settings(run.settings))}
        for (where, run), tree in zip((first, second), trees, strict=True)
    ]  # fmt: skip
    rows = side_by_side(*trees)
    if as_json:
        decisions = [[None if d is None else asdict(d) for d in row] for row in rows]
        about = {"runs": sides, **found.as_dict(), "decisions": decisions}
        typer.echo(json.dumps(about, indent=2))
    else:
        _print_runs(sides, found)
        _print_decisions(rows)
        _print_bests(sides)


def _run(store: TreeStore, wanted: str | None) -> Run:
    """A run by its id, else the newest of that name; without either the newest of all."""
    if wanted is None:
        return find_run(store)
    runs = store.runs()
    for run in reversed(runs):
        if wanted in (str(run.id), run.name):
            return run
    known = ", ".join(f"{run.id} ({run.name})" for run in runs[-10:]) or "none"
    raise UsageError(f"{store.path.name} has no run {wanted!r}; it has {known}")


def _print_nodes(objects: Sequence[dict[str, Any]], gaps: Sequence[dict[str, float]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for value in objects:
        table.add_column(Text(safe(value["name"])), justify="right")
    for title, key, form in _ROWS:
        values = [", ".join(v[key]) or None if key == "tags" else v.get(key) for v in objects]
        if any(value is not None for value in values):
            cells = [
                _cell(value, form) + _gap(gap.get(key), form)
                for value, gap in zip(values, gaps, strict=True)
            ]
            table.add_row(Text(title, "bold"), *(Text(cell) for cell in cells))
    wide_console().print(table)


def _gap(gap: float | None, form: str) -> str:
    """How far a figure is from that of the first node, written as the figure is."""
    return f" ({form.replace('{:', '{:+')})".format(gap) if gap is not None else ""


def _cell(value: Any, form: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else safe(form.format(value))


def _print_runs(sides: Sequence[dict[str, Any]], found: Comparison) -> None:
    for letter, side in zip("AB", sides, strict=True):
        typer.echo(f"{letter}: {safe(side['name'])}, run {side['run']} of {safe(side['store'])}")
    for what, (ours, theirs) in found.conditions.items():
        typer.echo(f"   {safe(what)}: A {_short(ours)}, B {_short(theirs)}")
    if found.agreed:
        gap = found.largest_gap
        close = "" if gap is None else f", similarities at most {gap:.2g} apart"
        typer.echo(f"they kept the same at {', '.join(found.agreed)}{close}")
    if found.difference is None:
        typer.echo("they never decided differently")
    else:
        _print_difference(found.difference)


def _print_difference(difference: Difference) -> None:
    typer.echo(f"they part at {difference.parent}: {_KINDS[difference.kind]}")
    for letter, side in zip("AB", difference.sides, strict=True):
        for candidate in side.candidates:
            similarity, accuracy = candidate["similarity"], candidate["val_accuracy"]
            typer.echo(
                f"   {letter}  {safe(candidate['name'])} (without {candidate['removes']}): "
                f"CKA {_cell(similarity, '{:.4f}')}, val acc {_cell(accuracy, '{:.2f} %')}"
            )
        typer.echo(f"   {letter}  {_verdict(side)}")


def _print_decisions(rows: Sequence[tuple[Decided | None, Decided | None]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("the kept paths")
    for letter in "AB":
        table.add_column(letter)
    for depth, row in enumerate(rows, 1):
        table.add_row(Text(f"decision {depth}"), *(Text(_decided(each)) for each in row))
    wide_console().print(table)


def _decided(each: Decided | None) -> str:
    if each is None:
        return "–"
    by = f" by {each.actor}" if each.actor else ""
    return safe(f"{' and '.join(each.kept) or 'none'}{by}{_margin(each)}")


def _print_bests(sides: Sequence[dict[str, Any]]) -> None:
    for letter, side in zip("AB", sides, strict=True):
        best = side["best"]
        typer.echo(
            f"best of {letter}: {safe(best['name'])}, val acc "
            f"{_cell(best['val_accuracy'], '{:.2f} %')}, test acc "
            f"{_cell(best['test_accuracy'], '{:.2f} %')}, "
            f"{_cell(best['macs_reduction'], '{:.2f} %')} fewer MACs, "
            f"{_cell(best['params'], '{:,}')} parameters"
        )


def _verdict(side: Side) -> str:
    if side.kept is None:
        return "undecided"
    kept = safe(" and ".join(side.kept) or "none")
    return f"{kept} kept by {safe(side.actor or '')}: {safe(side.reason or '')}{_margin(side)}"


def _margin(said: Side | Decided) -> str:
    if said.margin is None:
        return ""
    margin = f", margin {said.margin:+.4f}"
    if said.margin_low is not None:
        margin += f" [{said.margin_low:+.4f}, {said.margin_high:+.4f}]"
    return margin + (" (too close)" if said.too_close else "")


def _short(value: Any) -> str:
    return safe(json.dumps(value), 60)
