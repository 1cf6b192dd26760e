"""`auto --background`: the run is opened or begun here, and grown by a process of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from engine.contracts.errors import UsageError
from engine.contracts.events import Noted
from explorer.cli.commands.auto import Asking
from explorer.cli.console import say
from explorer.cli.json_background import BackgroundStarted
from explorer.cli.json_types import print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order, session_of
from explorer.session import in_background
from explorer.session.allowance import Grant, words
from explorer.session.budget import Budget
from explorer.session.open_run import Request
from explorer.session.plan import Plan, write_plan
from explorer.session.session import Session
from explorer.session.steering import Steering
from explorer.session.taking_up import plan_now, with_grant
from explorer.views.left_to_do import left_in_words


def auto_background(
    request: Request, *, as_json: bool, yes: bool = False, budget: Budget | None = None
) -> None:
    """Opens the run that the request means, and has it grown in the background as `auto` does.

    Raises UsageError.
    """
    _check_search(str(request.overrides.get("search") or "greedy"))
    with Reporter() as reporter, ending_in_order():
        asking = Asking(reporter, as_json, yes)
        started = asyncio.run(_start(request, asking, budget or Budget()))
    if as_json:
        print_json(started)
    elif started.pid is None:
        say(f"nothing is left to do in {started.store}: {started.stopped}")
    else:
        say(f"{started.store} is grown in the background (process {started.pid}): {started.left}")
        say("`pe-explore jobs` shows how far it is, and opening the store takes it over")


def _check_search(name: str) -> None:
    if name != "greedy":
        raise UsageError(
            f"the background goes on greedily, and the run's search is {name}: leave --background "
            "out, or give --search greedy"
        )


async def _start(request: Request, asking: Asking, budget: Budget) -> BackgroundStarted:
    async with session_of(request, asking.reporter, asking.accept, asking.allow) as session:
        store, spool = session.store.path, session.artifacts.spool
        _check_search(session.settings.search.strategy)
        tip = session.node_at_tip()
        stopped = session.reason_to_stop(tip, budget)
        if stopped is not None:
            return BackgroundStarted(str(store), session.run.name, None, "", stopped)
        grant = _grant(session, tip.name, tip.depth, budget)
        steering = Steering(session)
        before = plan_now(steering)
        plan = with_grant(steering, before, grant)
        if before is not None and not before.is_empty:
            _tell(session, before, grant)
        write_plan(spool, plan)
    # Only now: the store is free.
    options = [f"--allow-factory={each}" for each in request.given_factories]
    options.append(f"--run={session.run.uuid}")
    pid = in_background.start(store, spool, options)
    return BackgroundStarted(str(store), session.run.name, pid, words(plan.grants), None)


def _grant(session: Session, tip: str, depth: int, budget: Budget) -> Grant:
    left = replace(budget, decisions=max(session.settings.search.iterations - depth, 0))
    return Grant(tip, left, as_auto=True)


def _tell(session: Session, before: Plan, grant: Grant) -> None:
    """What was still to be done here goes on too; only another budget from the same node ends."""
    replaced = [each for each in before.grants if each.top == grant.top and each != grant]
    ends = f"; in place of {words(replaced)} now {words([grant])}" if replaced else ""
    session.emit(
        Noted(
            f"something was still to be done here, and goes on too: {left_in_words(before)}{ends}"
        )
    )
