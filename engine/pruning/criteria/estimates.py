"""Estimates of the KL of units, and where they are made exact.

Shape legend: N images, B images of a chunk, U units, K classes, M classes that are followed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NUM_CLASSES_FOLLOWED = 4  # the likeliest ones; they carry the change of the outputs
SHARE_EXACT = 0.07  # of the images, those with the largest estimates: they hold most of the KL
MOST_WRONG = 4.0  # an estimate that is further off where it was made exact tells nothing elsewhere


def kl_of_changes(chances_BM: Tensor, changes_BUM: Tensor) -> Tensor:
    """KL of the softmax after the logits of M classes changed (the likeliest one's did not)."""
    changes_BUM = changes_BUM.double()
    gained_BUM = chances_BM[:, None, :] * changes_BUM.exp()
    # 1 + sum of p (exp(dz) - 1): the factor by which the sum of the exponentials grew.
    growth_BU = 1 + (gained_BUM - chances_BM[:, None, :]).sum(2)
    kl_BU = (gained_BUM * changes_BUM).sum(2) / growth_BU - growth_BU.log()
    return kl_BU.clamp_min(0).float()


def worth_exact(kl_NU: Tensor) -> Tensor:
    """Where the largest estimates of each unit are (N, U)."""
    count = math.ceil(SHARE_EXACT * len(kl_NU))
    mask_NU = torch.zeros_like(kl_NU, dtype=torch.bool)
    return mask_NU.scatter_(0, kl_NU.topk(count, 0).indices, True)


def elsewhere(kl_NU: Tensor, exact_NU: Tensor, exact_U: Tensor) -> Tensor:
    """The sums of the estimates that were not made exact (`exact_NU` says which were).

    Where they were, they sum to `exact_U` instead. A unit's estimates err alike, but less the
    smaller they are: half of the correction, by ratio, ranks best (benchmarks/RESULTS.md).
    """
    rest_U, replaced_U = (kl_NU.masked_fill(mask, 0).sum(0).cpu() for mask in (exact_NU, ~exact_NU))
    ratio_U = (exact_U / replaced_U).nan_to_num(1.0, posinf=MOST_WRONG)
    return rest_U * ratio_U.clamp(1 / MOST_WRONG, MOST_WRONG).sqrt()
