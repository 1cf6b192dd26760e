"""The importance of blocks and units: every criterion by its name."""

from __future__ import annotations

from engine.pruning.criteria.kl import kl_scores
from engine.pruning.criteria.kl_fast import kl_fast_scores
from engine.pruning.criteria.kl_fisher import kl_fisher_scores
from engine.pruning.criteria.magnitude import l1_scores
from engine.pruning.scores import Criterion, Scores

__all__ = [
    "CRITERIA",
    "Criterion",
    "Scores",
    "kl_fast_scores",
    "kl_fisher_scores",
    "kl_scores",
    "l1_scores",
]

CRITERIA: dict[str, Criterion] = {
    "kl": kl_scores,
    "kl-fast": kl_fast_scores,
    "kl-fisher": kl_fisher_scores,
    "l1": l1_scores,
}
