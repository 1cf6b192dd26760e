"""The store's runs: seen side by side, one opened, another one begun."""

from __future__ import annotations

import asyncio

from explorer.session.another_run import begin_another, check_another, next_seed, offer_another
from explorer.session.errors import MENDABLE
from explorer.tui.actions.action import Action
from explorer.tui.context import Context
from explorer.tui.wanted import OtherWanted
from explorer.views.network_structure import structure_of_root


async def see_runs(at: Context) -> None:
    from explorer.tui.screens.runs_screen import ANOTHER, RunsScreen

    if at.state.session is None:
        at.notify("no tree is open yet")
        return
    session = at.state.session
    chosen = await at.ask(RunsScreen(session.store.path, session.run.id))
    if chosen is None or session is not at.state.session:
        return
    if chosen == ANOTHER:
        await another_run(at)
    else:
        at.app.post_message(OtherWanted(run=session.store.run(chosen).uuid))


async def another_run(at: Context) -> None:
    """Asks with which settings another run of the same root begins, and opens it."""
    from explorer.tui.screens.another_run_screen import AnotherRunScreen

    if (steering := at.steering()) is None:
        return
    session = steering.session
    try:
        offer = await offer_another(session)
        screen = AnotherRunScreen(
            offer, session.run.name, next_seed(session), structure_of_root(session.document),
            lambda settings: check_another(session, settings), at.state.live.on_event,
        )  # fmt: skip
        settings = await at.ask(screen)
        if settings is None or session is not at.state.session:
            return
        begun = await asyncio.to_thread(begin_another, session, settings)
    except MENDABLE as error:
        at.notify(str(error), "warning")
        return
    at.state.runs = [run.id for run in session.store.runs()]
    at.screen.paint_title()
    at.notify(f"run {begun.run.name} is begun")
    at.app.post_message(OtherWanted(run=begun.run.uuid))


ACTIONS: dict[str, Action] = {"view.runs": see_runs, "grow.run": another_run}
