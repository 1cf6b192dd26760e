"""Lookahead: a decision that has seen what its candidates lead to."""

from __future__ import annotations

from explorer.session.budget import Budget
from explorer.session.outcome import Outcome
from explorer.session.search.base import (
    candidates_of,
    keep,
    nothing_left,
    persons_choice,
    similarity_lost,
)
from explorer.session.session import Session
from store import Node

NAME = "lookahead"


class Lookahead:
    """Each candidate is tuned and gets candidates of its own; kept is the one whose best path of
    two steps is most similar. Twice to four times the work of a greedy step: what was grown to look
    serves the next step."""

    async def grow(self, session: Session, budget: Budget) -> Outcome:
        """From the root along what is kept."""
        parent = session.node("R")
        while (stopped := session.reason_to_stop(parent, budget)) is None:
            measured = (await candidates_of(session, [parent]))[parent.name]
            if not measured:
                return Outcome(parent, nothing_left(session))
            kept = persons_choice(session, parent)
            if not kept:
                kept = [await self._seen_further(session, parent, measured)]
            parent = await session.jobs.tune(kept[-1])
        return Outcome(parent, stopped)

    async def _seen_further(self, session: Session, parent: Node, measured: list[Node]) -> Node:
        """The candidate with the best path of two steps, kept."""
        if len(measured) == 1:
            keep(session, parent, measured, measured, NAME, "it is the only one")
            return session.store.node_by_id(measured[0].id)
        tuned = [await session.jobs.tune(node) for node in measured]
        beyond = await candidates_of(session, tuned)
        lost = {node.id: self._lost(session, node, beyond[node.name]) for node in tuned}
        best = min(tuned, key=lambda node: (lost[node.id], node.id))
        others = ", ".join(f"{lost[node.id]:.4f}" for node in tuned if node.id != best.id)
        reason = f"with its best next step it loses {lost[best.id]:.4f}, the other {others} (−log)"
        keep(session, parent, [best], tuned, NAME, reason)
        return session.store.node_by_id(best.id)  # as it is now: kept

    def _lost(self, session: Session, node: Node, next_ones: list[Node]) -> float:
        """Of its best path; of a node at which everything ends, its own twice."""
        own = similarity_lost(session, node)
        if not next_ones:
            return 2 * own
        return min(similarity_lost(session, each) for each in next_ones)
