"""Best-first search: next whoever has paid least for what is saved, at whatever depth."""

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

NAME = "best-first"


class BestFirst:
    """Of all nodes that wait the one goes on that has lost the least similarity (−log of the
    product on its path) for the multiply-accumulates it saves; what waits longer is not lost.

    It ends where such a node is at the depth, or has saved as much, as is asked for, or where the
    budget of epochs is spent.
    """

    async def grow(self, session: Session, budget: Budget) -> Outcome:
        """From the root, wherever it leads."""
        waiting, measured, last = [session.node("R")], dict[str, list[Node]](), session.node("R")
        why = nothing_left(session)
        while waiting:
            if (spent := session.epochs_over()) is not None:
                return Outcome(last, spent)
            node = min(waiting, key=lambda each: (self._price(session, each), each.id))
            waiting.remove(node)
            if node.parent_id is not None:
                self._keep(session, node, measured)
                node = await session.jobs.tune(node)
            if (lost := session.lost_too_much(node, budget)) is not None:
                why = lost
                continue
            last = node
            if (stopped := session.reason_to_stop(node, budget)) is not None:
                return Outcome(node, stopped)
            found = await candidates_of(session, [node])
            measured |= found
            persons = persons_choice(session, node)
            waiting += found[node.name] if persons is None else persons
        return Outcome(last, why)

    def _price(self, session: Session, node: Node) -> float:
        """Similarity lost for the share of operations saved; the root is free."""
        gone = session.share_gone(node, "macs")
        return similarity_lost(session, node) / gone if gone > 0 else 0.0

    def _keep(self, session: Session, node: Node, measured: dict[str, list[Node]]) -> None:
        assert node.parent_id is not None
        parent = session.store.node_by_id(node.parent_id)
        if persons_choice(session, parent) is not None:
            return
        decision = session.store.decision_of(parent.id)
        before = [] if decision is None else [*decision.kept]
        kept = [session.store.node_by_id(i) for i in before if i != node.id]
        reason = (
            f"it lost the least similarity a saved operation ({self._price(session, node):.4f})"
        )
        keep(session, parent, [*kept, node], measured[parent.name], NAME, reason)
