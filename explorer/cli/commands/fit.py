"""`plan STORE --macs …`: what goes of a node's network for budgets of cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.contracts.errors import UsageError
from engine.contracts.requests import BranchRequest, CandidateRequest, RemoveTogether
from explorer.cli.commands.steer import Here, steer
from explorer.cli.console import cell, find_run, say, wide_console
from explorer.cli.json_types import print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order
from explorer.cli.temporary import temporary_folder
from explorer.executors.kinds import workers
from explorer.session.fitting import Budget, fit_node
from explorer.session.model_source import source_of
from explorer.session.named_files import is_store
from explorer.session.open_run import Request
from explorer.session.planning import looking_at
from explorer.session.session import Session
from explorer.session.steering import Steering
from explorer.views.duration import duration
from explorer.views.fitted import (
    ONE_SCALE,
    BudgetFitted,
    BudgetsFitted,
    budget_words,
    fitted_view,
    stage_words,
)


def fit(
    request: Request,
    node: str,
    budgets: Sequence[Budget],
    *,
    branch: bool,
    run: str | None = None,
    as_json: bool,
) -> None:
    """Prints what goes for each budget; with `branch` the tree grows on from there, for each."""
    path = source_of(request).path
    if path is None or not is_store(path):
        raise UsageError(
            f"budgets are about a node of a store, and {request.model} is none; grow one first"
        )
    with temporary_folder() as folder, Reporter() as reporter, ending_in_order():

        async def allow(question: str) -> bool:
            return not as_json and reporter.asks(question)

        async def work() -> tuple[BudgetsFitted, str]:
            executor = workers(folder)
            try:
                async with looking_at(
                    path, request, folder, executor, reporter, allow,
                    lambda store: find_run(store, run),
                ) as jobs:  # fmt: skip
                    found = await fit_node(jobs, node, budgets)
                    word = "unit" if found.structure is None else found.structure.unit_word
                    return fitted_view(found), word
            finally:
                await executor.close()

        found, unit = asyncio.run(work())
    if not (as_json and branch):  # which prints the tree
        print_json(found) if as_json else _print(found, unit)
    if branch:
        here = Here(request.data, request.allow_factory, run)
        steer(path, lambda steering: _branches(steering, found), here=here, as_json=as_json)


async def _branches(steering: Steering, found: BudgetsFitted) -> Session:
    """Grows a branch for each choice that is possible, one after the other."""
    node = steering.session.node(found.node)
    wanted = [RemoveTogether(f.blocks, f.units) for f in found.fits if f.possible and _goes(f)]
    for i, edit in enumerate(wanted):
        if edit not in wanted[:i]:
            asked = CandidateRequest(edit, found.criterion)
            steering.branch(node, BranchRequest(asked))
            await steering.idle()
    return steering.session


def _goes(fit: BudgetFitted) -> bool:
    return bool(fit.blocks or fit.units)


def _print(found: BudgetsFitted, unit: str) -> None:
    from rich.table import Table

    how = "scored anew" if found.scored_anew else "stored scores"
    say(
        f"{found.node}: {found.macs:,} MACs, {found.params:,} parameters; {found.criterion} "
        f"({how}); costs counted in {duration(found.table_seconds)}"
    )
    if found.criterion not in ONE_SCALE:
        say(
            f"{found.criterion} does not score blocks and {unit}s on one scale; of "
            f"{', '.join(ONE_SCALE)} their sums mean the most"
        )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("at most", no_wrap=True)
    for title in ("MACs left", "parameters left", "time left", "importance", "found in"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in found.fits:
        table.add_row(*map(cell, _cells(each)))
    wide_console().print(table)
    for each in found.fits:
        say("")
        say(f"{budget_words(each)}{'' if each.possible else ': not possible; the least is'}")
        for stage in each.stages:
            say(f"  {stage_words(stage, unit)}")
        if not each.stages:
            say("  nothing goes")


def _cells(fit: BudgetFitted) -> tuple[str, ...]:
    is_best = fit.importance - fit.bound <= 1e-6 * max(abs(fit.importance), 1e-12)
    gap = "" if is_best else f" (≥ {fit.bound:.4g})"
    time = "" if fit.latency_left is None else f"{fit.latency_left:.1f} %"
    if fit.latency_left and fit.budget_latency and fit.latency_left > fit.budget_latency:
        time += " ✗"
    return (
        budget_words(fit) + ("" if fit.possible else " ✗"),
        f"{fit.macs_left:.2f} %",
        f"{fit.params_left:.2f} %",
        time,
        f"{fit.importance:.4g}{gap}",
        f"{fit.seconds:.1f} s",
    )
