"""The angle between two representations once one is rotated onto the other.

Shape legend: N rows, D and E features, R resamples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.measures.similarities.similarity import (
    Comparison,
    by_angle,
    centred,
    principal,
    rows_of,
)

MOST_FEATURES = 512


def procrustes(x_ND: Tensor, y_NE: Tensor, targets_N: Tensor | None = None) -> Comparison:
    """1 - 2θ/π of the angular shape distance θ = arccos |XᵀY|_* / (|X| |Y|) (Williams et al.,
    2021, Eq. 4 and 9, with the orthogonal group), X and Y without their means.

    θ is a metric; it does not change with rotation and scale of either one. Where widths differ
    the narrower one is as one with features of zero. Of more than 512 features it looks at the
    first 512 principal components.
    """
    x_ND, y_NE = (principal(centred(side).double(), MOST_FEATURES) for side in (x_ND, y_NE))
    squares = [features.square().sum(1) for features in (x_ND, y_NE)]

    def of_resample(w_N: Tensor) -> float:
        total = w_N.sum().clamp(min=1)
        mean_D, mean_E = w_N @ x_ND / total, w_N @ y_NE / total
        cross_DE = x_ND.T @ (w_N[:, None] * y_NE) - total * torch.outer(mean_D, mean_E)
        norms = [
            w_N @ squares_N - total * mean.square().sum()
            for squares_N, mean in zip(squares, (mean_D, mean_E), strict=True)
        ]
        if min(float(norm) for norm in norms) <= 0:
            return 0.0
        overlap = torch.linalg.svdvals(cross_DE).sum() / (norms[0] * norms[1]).sqrt()
        return by_angle(overlap)

    def compare(weights_RN: Tensor | None) -> list[float]:
        return [of_resample(w_N) for w_N in rows_of(weights_RN, x_ND)]

    return compare
