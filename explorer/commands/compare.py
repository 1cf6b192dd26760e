"""`compare`: nodes side by side, or two runs and where they went different ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer

from explorer.commands.look import find_run, wide_console
from explorer.diverging import Comparison, Difference, Side, compare_runs
from explorer.nodes import some_objects
from explorer.opening import UsageError
from explorer.text import safe
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
    ("seconds of work", "seconds", "{:,.1f}"),
    ("margin", "margin", "{:+.4f}"),
    ("reason", "reason", "{}"),
    ("note", "note", "{}"),
)
_KINDS = {
    "root": "the weights of their roots differ",
    "candidates": "they were offered different candidates",
    "decision": "they kept different candidates",
    "end": "one of them ends there",
}


def compare(path: Path, names: Sequence[str], runs: Sequence[str], *, as_json: bool) -> None:
    """Nodes of the newest run, or two runs of one store or of two."""
    if runs:
        if names:
            raise UsageError("--runs compares runs of one store; leave out the nodes")
        compare_two(path, path, runs, as_json=as_json)
    elif len(names) == 1 and (names[0].endswith(".db") or Path(names[0]).is_file()):
        compare_two(path, Path(names[0]), (), as_json=as_json)
    elif names:
        compare_nodes(path, names, as_json=as_json)
    else:
        raise UsageError("say what to compare: nodes, another store, or --runs A --runs B")


def compare_nodes(path: Path, names: Sequence[str], *, as_json: bool) -> None:
    """Nodes of the newest run, in the order given; a single one beside its parent."""
    with TreeStore.open(path, read_only=True) as store:
        run = find_run(store)
        if len(names) == 1 and "." in names[0]:
            store.node(run.id, names[0])
            names = [names[0].rpartition(".")[0], names[0]]
        names = list(dict.fromkeys(names))
        found = {value["name"]: value for value in some_objects(store, run.id, names)}
    objects = [found[name] for name in names]
    if as_json:
        typer.echo(json.dumps({"run": run.name, "nodes": objects}, indent=2))
        return
    _print_nodes(objects)


def compare_two(path: Path, other: Path, runs: Sequence[str], *, as_json: bool) -> None:
    """Two runs of a store (by id or name), or the newest runs of two stores."""
    with ExitStack() as stack:
        store = stack.enter_context(TreeStore.open(path, read_only=True))
        if runs:
            first, second = (store, _run(store, runs[0])), (store, _run(store, runs[1]))
        else:
            theirs = stack.enter_context(TreeStore.open(other, read_only=True))
            first, second = (store, find_run(store)), (theirs, find_run(theirs))
        found = compare_runs(first, second)
    sides = [
        {"store": str(where.path), "run": run.id, "name": run.name, "seed": run.seed}
        for where, run in (first, second)
    ]
    if as_json:
        typer.echo(json.dumps({"runs": sides, **found.as_dict()}, indent=2))
    else:
        _print_runs(sides, found)


def _run(store: TreeStore, wanted: str) -> Run:
    """A run by its id, else the newest of that name."""
    runs = store.runs()
    for run in reversed(runs):
        if wanted in (str(run.id), run.name):
            return run
    known = ", ".join(f"{run.id} ({run.name})" for run in runs[-10:]) or "none"
    raise UsageError(f"{store.path.name} has no run {wanted!r}; it has {known}")


def _print_nodes(objects: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for value in objects:
        table.add_column(Text(safe(value["name"])), justify="right")
    for title, key, form in _ROWS:
        values = [value.get(key) for value in objects]
        if any(value is not None for value in values):
            cells = [_cell(value, form) for value in values]
            table.add_row(Text(title, "bold"), *(Text(cell) for cell in cells))
    wide_console().print(table)


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


def _verdict(side: Side) -> str:
    if side.kept is None:
        return "undecided"
    margin = ""
    if side.margin is not None:
        margin = f", margin {side.margin:+.4f}"
        if side.margin_low is not None:
            margin += f" [{side.margin_low:+.4f}, {side.margin_high:+.4f}]"
        margin += " (too close)" if side.too_close else ""
    kept = safe(" and ".join(side.kept) or "none")
    return f"{kept} kept by {safe(side.actor or '')}: {safe(side.reason or '')}{margin}"


def _short(value: Any) -> str:
    return safe(json.dumps(value), 60)
