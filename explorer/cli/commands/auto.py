"""`auto`: grow a tree without asking."""

from __future__ import annotations

import asyncio
import signal

from engine.contracts.codec import encode_object
from engine.contracts.settings import CRITERIA, Settings
from explorer.cli.json_types import TreeSummary, print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import session_of
from explorer.session.open_run import Request
from explorer.session.session import Outcome, Session
from explorer.views.best_node import best
from explorer.views.kept_path import kept_path
from explorer.views.stored_nodes import node_views


def auto(request: Request, *, as_json: bool) -> None:
    """Grows the tree that the request means and prints it."""
    # Schedulers end a job so; it ends as with Ctrl-C, and the same command goes on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Reporter() as reporter:
        settings, summary = asyncio.run(_grow(request, reporter))
    if as_json:
        print_json(summary)
    else:
        from explorer.cli.console import print_tree, say

        print_tree(summary.nodes, best=summary.best.name)
        say(decided_by(settings))
        say(f"stopped: {summary.stopped}")
        say(f"best: {summary.best.name}   store: {summary.store}")


async def _grow(request: Request, reporter: Reporter) -> tuple[Settings, TreeSummary]:
    async with session_of(request, reporter) as session:
        outcome = await session.grow()
        return session.settings, summary_of(session, outcome)


def decided_by(settings: Settings) -> str:
    """By what the structures were ranked, and the candidates chosen."""
    scoring = settings.scoring
    looked_at = CRITERIA[scoring.criterion].format(images=scoring.criterion_samples)
    return f"ranked by {scoring.criterion}, {looked_at}; kept by {settings.search.policy}"


def summary_of(session: Session, outcome: Outcome) -> TreeSummary:
    """What `auto --json` prints."""
    nodes = node_views(session.store, session.run.id)
    return TreeSummary(
        store=str(session.store.path),
        run=session.run.name,
        path=tuple(node.structure for node in kept_path(nodes)[1:]),
        settings=encode_object(session.settings),
        stopped=outcome.stopped,
        root=nodes[0],
        best=best(nodes, session.settings),
        nodes=tuple(nodes),
    )
