"""A store with several runs for the scripted app: two that differ in their seeds, and a fork."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from driver import approved, grown, own_world
from scripted import ScriptedExecutor

from explorer.session.another_run import begin_another, on_another_run
from explorer.session.fork import fork
from explorer.session.open_run import Request, open_session
from explorer.session.steering import Steering
from store import Run, TreeStore

# Seed 1 keeps filters, seed 2 the layer; the second fork is another criterion at R.F.
OF_SEED_2 = {
    "R.L": {"similarity": 0.99, "val_accuracy": 92.6},
    "R.F": {"similarity": 0.95, "val_accuracy": 92.0},
}


def several(folder: Path, *, forked: bool = False) -> Path:
    """A store with a run of seed 0 and one of seed 1 that is open by itself: the newest."""
    store = grown(folder, [approved])
    with own_world(folder):
        asyncio.run(_grow_more(store, forked))
    return store


async def _grow_more(store: Path, forked: bool) -> None:
    worker = ScriptedExecutor(OF_SEED_2)

    def make(spool: Path) -> ScriptedExecutor:
        worker.spool = spool
        return worker

    session = await open_session(Request(str(store)), make, lambda event: None)
    begun = []
    if forked:
        begun.append(fork(session, session.node("R.F"), {"criterion": "l1"}))
    begun.append(begin_another(session, replace(session.settings, seed=session.run.seed + 1)))
    try:
        for document in begun:
            steering = Steering(on_another_run(session, document, lambda event: None))
            steering.resume()
            await steering.idle()
            steering.approve(steering.tip())
            await steering.idle()
            await steering.stop()
    finally:
        await session.close()


def runs_of(store: Path) -> list[Run]:
    with TreeStore.open(store, read_only=True) as opened:
        return opened.runs()


def actors_of(store: Path, run_id: int) -> list[str]:
    """Who made each decision of a run."""
    with TreeStore.open(store, read_only=True) as opened:
        return [decision.actor for decision in opened.decisions(run_id)]
