"""`auto`: grow a tree without asking."""

from __future__ import annotations

import asyncio

import typer

from engine.contracts.codec import encode_object
from engine.contracts.settings import CRITERIA, Settings
from explorer.cli.json_types import TreeSummary, print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order, session_of
from explorer.session.events import RunBegun, SessionEvent
from explorer.session.open_run import Request
from explorer.session.session import Outcome, Session
from explorer.views.best_node import best
from explorer.views.kept_path import kept_path
from explorer.views.stored_nodes import node_views


def auto(request: Request, *, as_json: bool) -> None:
    """Grows the tree that the request means and prints it."""
    with Reporter() as reporter, ending_in_order():
        settings, summary = asyncio.run(_grow(request, reporter))
    if as_json:
        print_json(summary)
    else:
        from explorer.cli.console import print_tree

        print_tree(summary.nodes, best=summary.best.name)
        typer.echo(decided_by(settings))
        typer.echo(f"stopped: {summary.stopped}")
        typer.echo(f"best: {summary.best.name}   store: {summary.store}")


async def _grow(request: Request, reporter: Reporter) -> tuple[Settings, TreeSummary]:
    begun: list[RunBegun] = []

    def listen(event: SessionEvent) -> None:
        reporter(event)
        if isinstance(event, RunBegun):
            begun.append(event)

    async with session_of(request, listen) as session:
        outcome = await session.grow()
        return session.settings, summary_of(session, outcome, *begun)


def decided_by(settings: Settings) -> str:
    """By what the structures were ranked, and the candidates chosen."""
    scoring = settings.scoring
    looked_at = CRITERIA[scoring.criterion].format(images=scoring.criterion_samples)
    return f"ranked by {scoring.criterion}, {looked_at}; kept by {settings.search.policy}"


def summary_of(session: Session, outcome: Outcome, begun: RunBegun | None = None) -> TreeSummary:
    """What `auto --json` prints; `begun` where the run is a new one."""
    nodes = node_views(session.store, session.run.id)
    return TreeSummary(
        store=str(session.store.path),
        run=session.run.name,
        is_new=begun is not None,
        why_new=begun.why if begun else None,
        path=tuple(node.structure for node in kept_path(nodes)[1:]),
        settings=encode_object(session.settings),
        notes=session.document.origin.notes,
        stopped=outcome.stopped,
        root=nodes[0],
        best=best(nodes, session.settings),
        nodes=tuple(nodes),
    )
