"""`criteria`: how criteria rank a network, against the exact KL; nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from engine.contracts.comparing import (
    CompareCriteria,
    CriteriaCompared,
    CriterionCompared,
    Estimate,
)
from engine.contracts.errors import UsageError
from engine.contracts.methods import CRITERIA
from engine.contracts.options import check_name
from engine.contracts.references import factory_here, is_own_method
from explorer.cli.console import cell, find_run, say, wide_console
from explorer.cli.json_types import CriteriaTold, CriterionTold, IntervalTold, print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order
from explorer.cli.temporary import temporary_folder
from explorer.executors.base import Executor
from explorer.executors.kinds import workers
from explorer.session.events import Emit
from explorer.session.factories import Allow
from explorer.session.model_source import source_of
from explorer.session.named_files import is_store
from explorer.session.open_run import Request
from explorer.session.planning import found_in, opened
from explorer.session.root_job import run_for_root
from explorer.session.speed import Subject
from explorer.views.plan_text import about


@dataclass(frozen=True)
class Asked:
    """Which criteria, on how many images in how many draws."""

    criteria: tuple[str, ...]
    num_items: int
    draws: int


def criteria(request: Request, asked: Asked, *, run: str | None = None, as_json: bool) -> None:
    """Prints how criteria rank a model, or the root of a store's run (the newest unless named)."""
    own = [name for name in asked.criteria if is_own_method(name)]
    for name in set(asked.criteria) - set(own):
        check_name("criterion", name, CRITERIA)
    if len(own) > 1:
        raise UsageError(f"compare one criterion of your own at a time; got {', '.join(own)}")
    with temporary_folder() as folder, Reporter() as reporter, ending_in_order():

        async def allow(question: str) -> bool:
            return not as_json and reporter.asks(question)

        async def work() -> tuple[Subject, CriteriaCompared]:
            executor = workers(folder)
            try:
                subject, job = await _job_of(request, asked, run, folder, executor, reporter, allow)
                leave = factory_here(own[0]) if own else None  # it has been named
                places = replace(subject.places, criterion=leave)
                found = await run_for_root(job, places, executor, reporter)
                return subject, cast(CriteriaCompared, found)
            finally:
                await executor.close()

        subject, found = asyncio.run(work())
    if as_json:
        print_json(_as_printed(request.model, subject, found))
    else:
        _print(found)


async def _job_of(
    request: Request,
    asked: Asked,
    run: str | None,
    folder: Path,
    executor: Executor,
    emit: Emit,
    allow: Allow,
) -> tuple[Subject, CompareCriteria]:
    path = source_of(request).path
    if path is not None and is_store(path):
        known = await found_in(
            path, request, folder, executor, emit, allow, lambda store: find_run(store, run)
        )
        subject, settings = known.subject, known.document.settings
    else:
        if run is not None:
            raise UsageError(f"--run is about a run of a store, and {request.model} is none")
        new = await opened(request, executor, emit)
        subject, settings = new.subject, new.settings
    job = CompareCriteria(
        subject.network,
        subject.data,
        subject.environment.execution,
        asked.criteria or tuple(CRITERIA),
        asked.num_items,
        asked.draws,
        settings.seed,
        settings.scoring.units,
        subject.structure,
    )
    return subject, job


# ------------------------------------------------------------ as JSON


def _as_printed(model: str, subject: Subject, found: CriteriaCompared) -> CriteriaTold:
    return CriteriaTold(
        model=model,
        reference=found.reference,
        images=found.num_items,
        draws=found.draws,
        units=found.num_units,
        blocks=found.num_blocks,
        criteria=tuple(_told(each) for each in found.criteria),
        device=subject.environment.device,
        seconds=found.seconds,
    )


def _told(each: CriterionCompared) -> CriterionTold:
    return CriterionTold(
        each.name,
        each.reason is None,
        each.reason,
        _interval(each.units),
        _interval(each.within_groups),
        _interval(each.least_tenth),
        _interval(each.blocks),
        each.seconds,
    )


def _interval(found: Estimate | None) -> IntervalTold | None:
    if found is None:
        return None
    return IntervalTold(*(round(value, 4) for value in (found.value, found.low, found.high)))


# ------------------------------------------------------------ as text


def _print(found: CriteriaCompared) -> None:
    from rich.table import Table

    say(
        f"{found.num_units:,} units and {found.num_blocks:,} blocks on {found.num_items:,} "
        f"training images in {found.draws} draws, against {found.reference}, exact"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("criterion", no_wrap=True)
    for title in ("units: rank correlation", "within groups", "least tenth in common",
                  "blocks: rank correlation", "time"):  # fmt: skip
        table.add_column(title, justify="right", no_wrap=True)
    for row in _rows(found):
        table.add_row(*map(cell, row))
    wide_console().print(table)
    for each in found.criteria:
        if each.reason is not None:
            say(f"{each.name} does not apply: {each.reason}")


def _rows(found: CriteriaCompared) -> Iterable[tuple[str, ...]]:
    """The best first; 95 % intervals in brackets."""
    applying = [each for each in found.criteria if each.reason is None]
    reference, *others = applying
    yield reference.name, "1", "1", "1", "1", about(reference.seconds or 0)
    for each in sorted(others, key=lambda each: -each.units.value if each.units else 1):
        yield (
            each.name,
            _figure(each.units),
            _figure(each.within_groups),
            _figure(each.least_tenth),
            _figure(each.blocks),
            about(each.seconds or 0),
        )


def _figure(found: Estimate | None) -> str:
    if found is None:
        return "–"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
