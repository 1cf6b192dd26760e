"""`published`: results of others, listed; a person's own files, added and removed."""

from __future__ import annotations

from pathlib import Path

from engine.contracts.errors import UnusableFileError, UsageError
from engine.contracts.near import did_you_mean
from explorer.cli.console import cell, say, wide_console
from explorer.cli.json_types import PublishedFile, PublishedFiles, PublishedListed, print_json
from explorer.views.counting import counted
from explorer.views.published import files as own
from explorer.views.published.result import KINDS, PublishedResult


def listed(
    network: str | None, dataset: str | None, kind: str | None, method: str | None, *, as_json: bool
) -> None:
    """Prints the results that are meant."""
    if kind is not None and kind not in KINDS:
        hint = did_you_mean(kind, KINDS)
        raise UsageError(f"there is no kind {kind!r}; {hint}known are {', '.join(KINDS)}")
    results, wrong = own.all_results()
    found = tuple(own.matching(results, network=network, dataset=dataset, kind=kind, method=method))
    if as_json:
        print_json(PublishedListed(found, wrong))
        return
    for each in wrong:
        say(f"pe-explore: {each}", err=True)
    if found:
        _print(found)
    say(f"{counted(len(found), 'result')} of {len(results):,}{_hint(found, results, network)}",
        err=True)  # fmt: skip


def _hint(
    found: tuple[PublishedResult, ...], results: tuple[PublishedResult, ...], network: str | None
) -> str:
    if found or network is None:
        return ""
    known = list(dict.fromkeys(row.network for row in results))
    return f"; there are some of {', '.join(known[:20])}"


def _print(found: tuple[PublishedResult, ...]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("network", "data", "method", "year", "removed", "kind"):
        table.add_column(title, no_wrap=True)
    for title in ("Δ test", "test %", "MACs −%", "params −%"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("source", no_wrap=True)
    for row in found:
        words = (row.network, row.dataset, row.method, str(row.year), row.structures, row.kind)
        spread = "" if row.spread is None else f" ± {row.spread:.2f}"
        change = "" if row.change is None else f"{row.change:+.2f}{spread}"
        figures = (row.accuracy, row.macs_reduction, row.params_reduction)
        told = ("" if figure is None else f"{figure:.2f}" for figure in figures)
        table.add_row(*(cell(word, longest=60) for word in (*words, change, *told)),
                      cell(row.source, longest=200))  # fmt: skip
    wide_console().print(table)


def add(path: Path, *, as_json: bool) -> None:
    """Takes a file into the person's own."""
    there, results = own.add(path)
    if as_json:
        print_json(PublishedFile(there.stem, str(there), len(results), None))
    else:
        say(f"added {counted(len(results), 'result')}: {there}")


def files(*, as_json: bool) -> None:
    """Prints the person's own files, with what is wrong with them."""
    found = [_about(path) for path in own.own_files()]
    if as_json:
        print_json(PublishedFiles(tuple(found)))
        return
    for each in found:
        told = each.wrong or counted(each.num_results, "result")
        say(f"{each.name}: {told} ({each.path})")
    if not found:
        say("you have added no files; `pe-explore published add FILE` takes one", err=True)


def _about(path: Path) -> PublishedFile:
    try:
        return PublishedFile(path.stem, str(path), len(own.read_own(path)), None)
    except (own.PublishedFileError, UnusableFileError) as error:
        return PublishedFile(path.stem, str(path), 0, str(error))


def remove(name: str, *, as_json: bool) -> None:
    """Removes one of the person's own files."""
    path = own.remove(name)
    if as_json:
        print_json(PublishedFile(path.stem, str(path), 0, None))
    else:
        say(f"removed {path}")
