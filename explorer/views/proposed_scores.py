"""The scores that a parent's newest proposal was made of."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.codec import FormatError, decode
from engine.contracts.networks import Scores
from store import TreeStore


@dataclass(frozen=True)
class ProposedScores:
    """The importance of a parent's structures; `criterion` is None where it was not stored."""

    scores: Scores
    criterion: str | None = None


def newest_scores(store: TreeStore, parent_id: int) -> ProposedScores | None:
    """Those of a parent's newest proposal; None without one, or where it holds no scores."""
    proposals = store.proposals(parent_id)
    try:
        return decode(ProposedScores, proposals[-1].content) if proposals else None
    except FormatError:
        return None


def scores_by(store: TreeStore, parent_id: int, criterion: str) -> Scores | None:
    """Those of a parent's newest proposal by a criterion; None where it has none."""
    for proposal in reversed(store.proposals(parent_id)):
        try:
            found = decode(ProposedScores, proposal.content)
        except FormatError:
            continue
        if found.criterion == criterion:
            return found.scores
    return None
