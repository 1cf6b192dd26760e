"""Beam search: the best candidates of a step go on, whoever their parents are."""

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

NAME = "beam"


class Beam:
    """`beam_width` kept nodes a step: those with the largest product of similarities on their path.

    A beam of one differs from the paper's search only where a policy would take the less similar
    one. What a person decided counts first.
    """

    async def grow(self, session: Session, budget: Budget) -> Outcome:
        """Step by step from the root; ends at the best node of the last step."""
        beam = [session.node("R")]
        while True:
            reasons = {n.id: session.reason_to_stop(n, budget) for n in beam}
            going = [node for node in beam if reasons[node.id] is None]
            if not going:
                return Outcome(beam[0], reasons[beam[0].id] or "")
            measured = await candidates_of(session, going)
            chosen = self._chosen(session, going, measured)
            if not chosen:
                return Outcome(going[0], nothing_left(session))
            beam = [await session.jobs.tune(node) for node in chosen]

    def _chosen(
        self, session: Session, parents: list[Node], measured: dict[str, list[Node]]
    ) -> list[Node]:
        """Who goes on, the best first; what is kept of each parent is stored."""
        width = session.settings.search.beam_width
        persons = {parent.name: persons_choice(session, parent) for parent in parents}
        offered = [
            (persons[name] is None, similarity_lost(session, node), node.id, node)
            for name, nodes in measured.items()
            for node in (nodes if persons[name] is None else persons[name] or [])
        ]
        chosen = [node for *_, node in sorted(offered, key=lambda each: each[:3])[:width]]
        depth = parents[0].depth + 1
        for parent in parents:
            if not measured[parent.name] or persons[parent.name] is not None:
                continue
            kept = [node for node in chosen if node.parent_id == parent.id]
            what = "among" if kept else "none is among"
            reason = f"{what} the {len(chosen)} most similar paths of step {depth}"
            keep(session, parent, kept, measured[parent.name], NAME, reason)
        return chosen
