"""`auto`: grow a tree without asking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from engine.contracts.codec import encode_object
from engine.contracts.doubts import Doubt
from engine.contracts.methods import looked_at
from engine.contracts.networks import DataDescription
from engine.contracts.settings import Settings
from explorer.cli.json_types import TreeSummary, print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order, session_of
from explorer.session.budget import Budget
from explorer.session.documents import RunDocument
from explorer.session.events import RunBegun, SessionEvent
from explorer.session.open_run import Request
from explorer.session.outcome import Outcome
from explorer.session.search import grow_tree
from explorer.session.session import Session
from explorer.views.best_node import best
from explorer.views.doubts import doubts_about
from explorer.views.kept_path import kept_path
from explorer.views.stored_nodes import node_views

GROW_ALL_THE_SAME = "Grow a tree of it all the same?"


@dataclass(frozen=True)
class Asking:
    """The questions of `auto`, answered by a person at the terminal; `yes` accepts a doubtful
    root."""

    reporter: Reporter
    as_json: bool
    yes: bool

    async def accept(self, _: tuple[Doubt, ...]) -> bool:
        return self.yes or await self.allow(GROW_ALL_THE_SAME)

    async def allow(self, question: str) -> bool:
        return not self.as_json and self.reporter.asks(question)


def auto(
    request: Request, *, as_json: bool, yes: bool = False, budget: Budget | None = None
) -> None:
    """Grows the tree that the request means and prints it; `yes` accepts a doubtful root."""
    with Reporter() as reporter, ending_in_order():
        asking = Asking(reporter, as_json, yes)
        document, summary = asyncio.run(_grow(request, asking, budget))
    if as_json:
        print_json(summary)
    else:
        from explorer.cli.console import print_doubts, print_tree, say

        print_tree(summary.nodes, best=summary.best.name)
        print_doubts(summary.doubts)
        say(decided_by(document.settings, document.data))
        say(f"stopped: {summary.stopped}")
        say(f"best: {summary.best.name}   store: {summary.store}")


async def _grow(
    request: Request, asking: Asking, budget: Budget | None
) -> tuple[RunDocument, TreeSummary]:
    begun: list[RunBegun] = []

    def listen(event: SessionEvent) -> None:
        asking.reporter(event)
        if isinstance(event, RunBegun):
            begun.append(event)

    async with session_of(request, listen, asking.accept, asking.allow) as session:
        outcome = await grow_tree(session, budget)
        return session.document, summary_of(session, outcome, *begun)


def decided_by(settings: Settings, data: DataDescription) -> str:
    """By what the structures were ranked, and the candidates chosen."""
    scoring = settings.scoring
    of_each = f"{data.items} a class" if data.classes else data.items
    images = looked_at(scoring.criterion, f"{scoring.criterion_samples} {of_each}")
    return f"ranked by {scoring.criterion}, {images}; kept by {settings.search.policy}"


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
        doubts=doubts_about(session.run),
    )
