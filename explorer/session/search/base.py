"""What a search is, and what searches share: how similar a path is, and whose decision stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from engine.contracts.metrics import needed
from explorer.session.budget import Budget
from explorer.session.deciding import to_recover
from explorer.session.outcome import Outcome
from explorer.session.policy import POLICIES, USER
from explorer.session.session import Session
from store import Node

SMALLEST = 1e-6  # a similarity whose logarithm still counts: nothing is alike below it


class Search(Protocol):
    """One way to grow a tree. The same tree, settings and budget give the same nodes, whether they
    were grown before or not."""

    async def grow(self, session: Session, budget: Budget) -> Outcome:
        """Grows until a reason to stop. Raises CandidatesFailedError, CancelledError."""
        ...


def similarity_lost(session: Session, node: Node) -> float:
    """−log of the product of the similarities on a node's path: 0 at the root."""
    lost = 0.0
    while node.parent_id is not None:
        lost -= math.log(max(needed(node.metrics, "similarity", of=node.name), SMALLEST))
        node = session.store.node_by_id(node.parent_id)
    return lost


async def candidates_of(session: Session, parents: Sequence[Node]) -> dict[str, list[Node]]:
    """The measured candidates of each node by its name, those of all nodes side by side."""
    wanted: dict[str, list[Node]] = {}
    for parent in parents:
        wanted[parent.name] = to_recover(parent, await session.expand(parent), session.settings)
    measured = await session.recover_all([node for nodes in wanted.values() for node in nodes])
    found: dict[str, list[Node]] = {parent.name: [] for parent in parents}
    names = {node.id: name for name, nodes in wanted.items() for node in nodes}
    for node in measured:
        found[names[node.id]].append(node)
    return found


def persons_choice(session: Session, parent: Node) -> list[Node] | None:
    """What a person keeps of a node's candidates; None where no person has decided."""
    decision = session.store.decision_of(parent.id)
    if decision is None or decision.actor != USER:
        return None
    return [session.store.node_by_id(kept) for kept in decision.kept]


def keep(
    session: Session,
    parent: Node,
    kept: Sequence[Node],
    measured: Sequence[Node],
    actor: str,
    reason: str,
) -> None:
    """Stores what a search keeps of a node's candidates, unless just that is kept already."""
    decision = session.store.decision_of(parent.id)
    ids = sorted(node.id for node in kept)
    if decision is not None and sorted(decision.kept) == ids:
        return
    session.keep(parent, kept, session.suggest(parent, measured), actor, reason)


def nothing_left(session: Session) -> str:
    """Why a tree ends whose nodes have no candidates any more."""
    removed = POLICIES[session.settings.search.policy].removes
    return f"no {removed} left that may be removed"
