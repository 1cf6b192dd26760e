"""`compare`: nodes side by side, or two runs and where they went different ways."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contracts.errors import UsageError
from engine.contracts.json_values import JsonValue
from engine.contracts.settings import read_settings
from explorer.cli.console import cell, find_run, say, wide_console
from explorer.cli.json_types import NodesCompared, RunsCompared, RunSide, print_json
from explorer.views.best_node import best
from explorer.views.measured_text import interval_text, labelled, with_unit
from explorer.views.node_diff import (
    Decided,
    Figure,
    FigureRow,
    differences,
    figure_rows,
    side_by_side,
    word_rows,
)
from explorer.views.node_view import NodeView
from explorer.views.run_diff import (
    Difference,
    Side,
    compare_runs,
)
from explorer.views.safe_text import safe
from explorer.views.stored_nodes import node_views, some_node_views
from store import TreeStore

if TYPE_CHECKING:
    from rich.text import Text

_BELOW = ("margin", "reason", "tags", "note")  # rows of words that come below the figures
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
    elif len(names) == 1 and (names[0].endswith(".db") or os.path.isfile(names[0])):
        compare_two(path, Path(names[0]), () if run is None else (run,), as_json=as_json)
    elif names:
        compare_nodes(path, names, run, as_json=as_json)
    else:
        raise UsageError("say what to compare: nodes, another store, or --runs A B")


def compare_nodes(path: Path, names: Sequence[str], wanted: str | None, *, as_json: bool) -> None:
    """Nodes of a run, in the order given; a single one beside its parent."""
    with TreeStore.open(path, read_only=True) as store:
        run = find_run(store, wanted)
        if len(names) == 1 and "." in names[0]:
            store.node(run.id, names[0])
            names = [names[0].rpartition(".")[0], names[0]]
        names = list(dict.fromkeys(names))
        found = {node.name: node for node in some_node_views(store, run.id, names)}
    nodes = [found[name] for name in names]
    if as_json:
        apart = dict(zip(names[1:], differences(nodes)[1:], strict=True))
        print_json(NodesCompared(run.name, tuple(nodes), apart))
    else:
        _print_nodes(nodes)


def compare_two(path: Path, other: Path, runs: Sequence[str], *, as_json: bool) -> None:
    """Two runs (by id or name): two of a store, or one of each of two stores. The newest ones
    where none is named; a single name is that of the first one."""
    with ExitStack() as stack:
        store = stack.enter_context(TreeStore.open(path, read_only=True))
        theirs = store
        if len(runs) < 2:
            theirs = stack.enter_context(TreeStore.open(other, read_only=True))
        names = (*runs, None, None)[:2]
        first, second = (store, find_run(store, names[0])), (theirs, find_run(theirs, names[1]))
        found = compare_runs(first, second)
        trees = [node_views(where, run.id) for where, run in (first, second)]
    about = RunsCompared(
        runs=tuple(
            RunSide(str(where.path), run.id, run.name, run.seed,
                    best(tree, read_settings(run.settings)))
            for (where, run), tree in zip((first, second), trees, strict=True)
        ),
        conditions=found.conditions,
        agreed=found.agreed,
        largest_gap=found.largest_gap,
        difference=found.difference,
        decisions=tuple(side_by_side(*trees)),
    )  # fmt: skip
    if as_json:
        print_json(about)
    else:
        _print_runs(about)
        _print_decisions(about.decisions)
        _print_bests(about.runs)


def _print_nodes(nodes: Sequence[NodeView]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for node in nodes:
        table.add_column(cell(node.name), justify="right")
    words = [(r.title, [w if w is not None else "–" for w in r.words]) for r in word_rows(nodes)]
    figures = [(r.measure.heading, [_figure(r, f) for f in r.figures]) for r in figure_rows(nodes)]
    above = [row for row in words if row[0] not in _BELOW]
    below = [row for row in words if row[0] in _BELOW]
    for title, cells in (*above, *figures, *below):
        table.add_row(cell(title, "bold"), *map(_short_cell, cells))
    wide_console().print(table)


def _short_cell(text: str) -> Text:
    return cell(text, longest=2_000)


def _figure(row: FigureRow, figure: Figure) -> str:
    """A value, and how far it is from that of the first node, written as it is."""
    if figure.text is None:
        return "–"
    if figure.difference is None or row.measure.better == "neither":
        return figure.text
    return f"{figure.text} ({row.measure.change(figure.difference)})"


def _print_runs(about: RunsCompared) -> None:
    for letter, side in zip("AB", about.runs, strict=True):
        say(f"{letter}: {side.name}, run {side.run} of {side.store}")
    for what, (ours, theirs) in about.conditions.items():
        say(f"   {what}: A {_short(ours)}, B {_short(theirs)}")
    if about.agreed:
        gap = about.largest_gap
        close = "" if gap is None else f", similarities at most {gap:.2g} apart"
        say(f"they kept the same at {', '.join(about.agreed)}{close}")
    if about.difference is None:
        say("they never decided differently")
    else:
        _print_difference(about.difference, [run.best.similarity_by for run in about.runs])


def _print_difference(difference: Difference, compared_by: Sequence[str]) -> None:
    say(f"they part at {difference.parent}: {_KINDS[difference.kind]}")
    for letter, side, by in zip("AB", difference.sides, compared_by, strict=True):
        for candidate in side.candidates:
            figures = (
                labelled("similarity", candidate.similarity, by),
                labelled("val_accuracy", candidate.val_accuracy),
            )
            say(
                f"   {letter}  {candidate.name} (without {candidate.removes}): {', '.join(figures)}"
            )
        say(f"   {letter}  {_verdict(side)}")


def _print_decisions(rows: Sequence[tuple[Decided | None, Decided | None]]) -> None:
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("the kept paths")
    for letter in "AB":
        table.add_column(letter)
    for depth, row in enumerate(rows, 1):
        table.add_row(cell(f"decision {depth}"), *(cell(_decided(each)) for each in row))
    wide_console().print(table)


def _decided(each: Decided | None) -> str:
    if each is None:
        return "–"
    by = f" by {each.actor}" if each.actor else ""
    return f"{' and '.join(each.kept) or 'none'}{by}{_margin(each)}"


def _print_bests(sides: Sequence[RunSide]) -> None:
    for letter, side in zip("AB", sides, strict=True):
        best = side.best
        say(
            f"best of {letter}: {best.name}, {labelled('val_accuracy', best.val_accuracy)}, "
            f"{labelled('test_accuracy', best.test_accuracy)}, "
            f"{with_unit('macs_reduction', best.macs_reduction)} fewer MACs, "
            f"{with_unit('params', best.measure('params'))} parameters"
        )


def _verdict(side: Side) -> str:
    if side.kept is None:
        return "undecided"
    kept = " and ".join(side.kept) or "none"
    return f"{kept} kept by {side.actor or ''}: {side.reason or ''}{_margin(side)}"


def _margin(said: Side | Decided) -> str:
    if said.margin is None:
        return ""
    margin = interval_text(said.margin, said.margin_low, said.margin_high)
    return f", margin {margin}" + (" (too close)" if said.too_close else "")


def _short(value: JsonValue) -> str:
    return safe(json.dumps(value), 60)
