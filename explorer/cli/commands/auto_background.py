"""`auto --background`: the run is opened or begun here, and grown by a process of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

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
from explorer.session.plan import Plan, PlanError, remove_plan, write_plan
from explorer.session.session import Session
from explorer.session.taking_up import make_way


def auto_background(
    request: Request, *, as_json: bool, yes: bool = False, budget: Budget | None = None
) -> None:
    """Opens the run that the request means, and has it grown in the background as `auto` does."""
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


async def _start(request: Request, asking: Asking, budget: Budget) -> BackgroundStarted:
    async with session_of(request, asking.reporter, asking.accept, asking.allow) as session:
        store, spool = session.store.path, session.artifacts.spool
        tip = session.node_at_tip()
        stopped = session.reason_to_stop(tip, budget)
        if stopped is not None:
            return BackgroundStarted(str(store), session.run.name, None, "", stopped)
        plan = _plan(session, tip.name, tip.depth, budget)
        try:
            make_way(session.store, spool, session.run)
        except PlanError:  # it says nothing, and another one takes its place
            remove_plan(spool)
        write_plan(spool, plan)
    # Only now: the store is free.
    options = [f"--allow-factory={each}" for each in request.given_factories]
    options.append(f"--run={session.run.uuid}")
    pid = in_background.start(store, spool, options)
    return BackgroundStarted(str(store), session.run.name, pid, words(plan.grants), None)


def _plan(session: Session, tip: str, depth: int, budget: Budget) -> Plan:
    left = replace(budget, decisions=max(session.settings.search.iterations - depth, 0))
    event = session.store.last_event_id(session.run.id)
    grant = Grant(tip, left, as_auto=True)
    return Plan(session.run.uuid, event, (grant,), growing=(tip,))
