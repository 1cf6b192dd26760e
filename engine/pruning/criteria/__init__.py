"""The importance of blocks and units: every criterion by its name."""

from __future__ import annotations

from engine.pruning.criteria.activation import ACTIVATION
from engine.pruning.criteria.beta_rank import BETA_RANK
from engine.pruning.criteria.drawn import random_scores
from engine.pruning.criteria.feature_rank import HRANK
from engine.pruning.criteria.fluctuation import FLUCTUATION
from engine.pruning.criteria.geometric_median import fpgm_scores
from engine.pruning.criteria.kl import kl_scores
from engine.pruning.criteria.kl_fast import kl_fast_scores
from engine.pruning.criteria.kl_fisher import kl_fisher_scores
from engine.pruning.criteria.magnitude import l1_scores, l2_scores
from engine.pruning.criteria.norm_scale import bn_scale_scores
from engine.pruning.criteria.relevance import LRP
from engine.pruning.criteria.taylor import TAYLOR
from engine.pruning.criteria.taylor_activation import TAYLOR_ACTIVATION
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
    "l2": l2_scores,
    "bn-scale": bn_scale_scores,
    "fpgm": fpgm_scores,
    "random": random_scores,
    "taylor": TAYLOR,
    "taylor-act": TAYLOR_ACTIVATION,
    "activation": ACTIVATION,
    "fluctuation": FLUCTUATION,
    "hrank": HRANK,
    "lrp": LRP,
    "beta-rank": BETA_RANK,
}
