"""`study`: ways to prune a network, compared over seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from explorer.cli.commands.study_growing import StudyGrowing
from explorer.cli.console import cell, say, wide_console
from explorer.cli.json_types import print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order
from explorer.session.known_run import newest_run
from explorer.session.model_source import source_of
from explorer.session.named_files import is_store
from explorer.session.open_run import Request, store_of
from explorer.session.study.runs import StudyRuns, check_request
from explorer.session.study.ways import Study, StudyError, study_named
from explorer.views.study.table import StudyTold, study_told
from explorer.views.study.text import headings, row_cells, sentences
from store import TreeStore


def study(
    what: str,
    request: Request,
    more: Sequence[str],
    seeds: Sequence[int],
    *,
    report: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Grows what is missing of a study, unless only a `report` is wanted, and prints its table."""
    named = study_named(what)
    if more:
        raise StudyError(f"a study is of one MODEL, and there is {more[0]!r} beside it")
    check_request(request, named)
    path = source_of(request).path
    if path is not None and is_store(path):
        raise StudyError(
            f"{request.model} is a store; give the network that the study prunes, and the store as "
            "--store"
        )
    request = replace(request, store=request.store or _default_store(request))
    if report:
        found = _reported(named, request, seeds)
    else:
        with Reporter() as reporter, ending_in_order():
            growing = StudyGrowing(named, request, seeds, reporter, as_json=as_json, yes=yes)
            found = asyncio.run(growing.grow())
    if as_json:
        print_json(found)
    else:
        _print(found)


def _default_store(request: Request) -> Path:
    """`MODEL-study.pex.db`: one store for all studies of a network, which have nodes in common."""
    beside = store_of(request)
    return beside.with_name(f"{beside.name.removesuffix('.pex.db')}-study.pex.db")


def _reported(study: Study, request: Request, seeds: Sequence[int]) -> StudyTold:
    with TreeStore.open(store_of(request), read_only=True) as store:
        return study_told(StudyRuns(store, newest_run(store), request, study, seeds))


def _print(found: StudyTold) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in headings(found):
        justify: Literal["left", "right"] = "left" if title in ("way", "note") else "right"
        table.add_column(cell(title, "bold"), justify=justify)
    for row in found.rows:
        table.add_row(*(cell(text, "dim" if row.is_control else "") for text in row_cells(row)))
    wide_console().print(table)
    for sentence in sentences(found):
        say(sentence)
