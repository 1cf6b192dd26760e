"""`auto`: grow a tree without asking."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import typer

from engine.contracts.codec import encode_object
from engine.contracts.settings import Settings, read_settings
from explorer.cli.progress import Reporter
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.worker_pool import NUM_SLOTS, WorkerPool
from explorer.session.open_run import Request, open_session
from explorer.session.session import Outcome, Session
from explorer.views.node_json import best, kept_path, node_objects


def auto(request: Request, *, as_json: bool) -> None:
    """Grows the tree that the request means and prints it."""
    # Schedulers end a job so; it ends as with Ctrl-C, and the same command goes on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Reporter() as reporter:
        summary = asyncio.run(_grow(request, reporter))
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
    else:
        from explorer.cli.console import print_tree

        print_tree(summary["nodes"], best=summary["best"]["name"])
        typer.echo(decided_by(read_settings(summary["settings"])))
        typer.echo(f"stopped: {summary['stopped']}")
        typer.echo(f"best: {summary['best']['name']}   store: {summary['store']}")


async def _grow(request: Request, reporter: Reporter) -> dict[str, Any]:
    executors: list[WorkerPool] = []

    def make(spool: Path) -> WorkerPool:
        executors.append(WorkerPool(spool, num_slots=NUM_SLOTS, log=spool / "worker.log"))
        return executors[0]

    try:
        session = await open_session(request, make, reporter)
        try:
            outcome = await session.grow()
            return summary_of(session, outcome)
        finally:
            session.store.close()
    finally:
        for executor in executors:
            await executor.close()
            clear_spool(executor.spool)


def decided_by(settings: Settings) -> str:
    """By what the structures were ranked, and the candidates chosen."""
    looked_at = {
        "kl": "kl, exact, {criterion_samples} images a class",
        "kl-fast": "kl-fast, estimated where it is small, {criterion_samples} images a class",
        "l1": "l1, the weights alone",
    }
    scoring = settings.scoring
    ranked = looked_at[scoring.criterion].format(criterion_samples=scoring.criterion_samples)
    return f"ranked by {ranked}; kept by {settings.search.policy}"


def summary_of(session: Session, outcome: Outcome) -> dict[str, Any]:
    """What `auto --json` prints."""
    nodes = node_objects(session.store, session.run.id)
    return {
        "store": str(session.store.path),
        "run": session.run.name,
        "path": [o["structure"] for o in kept_path(nodes)[1:]],
        "settings": encode_object(session.settings),
        "stopped": outcome.stopped,
        "root": nodes[0],
        "best": best(nodes, session.settings),
        "nodes": nodes,
    }
