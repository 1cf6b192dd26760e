"""Similarities of stochastic representations, a Gaussian for each class.

Shape legend: N rows, D and E features, R resamples, C rows of one class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from engine.measures.similarities.similarity import (
    Comparison,
    Similarity,
    by_angle,
    centred,
    principal,
    rows_of,
)

MOST_STEPS, CLOSE_ENOUGH = 200, 1e-8
STEPS_OF_A_RESAMPLE = 2
MOST_FEATURES = 256


def _class_gaussians(
    alpha: float, x_ND: Tensor, y_NE: Tensor, targets_N: Tensor | None = None
) -> Comparison:
    """How alike the classes' means and covariances are, one representation rotated onto the other
    (Duong et al., 2023, Eq. 8 to 11, whose stimuli are here classes, and whose noise is how the
    rows of a class differ; netrep's `alpha` between covariances alone (0) and means alone (2)).

    With both scaled so that α|means|² + (2-α) tr(covariances) is 1, the squared stochastic shape
    distance is 2 - 2 cos θ with cos θ = max_Q Σ_c n_c (α μ_c·Qν_c + (2-α) |Σ_c^½ Q T_c^½|_*),
    classes weighing by their rows; the similarity is 1 - 2θ/π, as of `procrustes`, which it is with
    α = 1 and each row a class of its own. Q comes of alternating projections that start at the
    rotation of all rows (so a local optimum, as in the paper); a resample goes two steps on from
    there. Where widths differ Q is a part of a rotation. Without classes all rows are one.
    Of more than 256 features it looks at the first 256 principal components.
    """
    x_ND, y_NE = (principal(centred(side).double(), MOST_FEATURES) for side in (x_ND, y_NE))
    if targets_N is None:
        targets_N = torch.zeros(len(x_ND), dtype=torch.long)
    numbers_N = targets_N.to(x_ND.device).unique(return_inverse=True)[1]
    classes = [(numbers_N == number).nonzero()[:, 0] for number in range(int(numbers_N.max()) + 1)]
    once_N = rows_of(None, x_ND)[0]
    x, y = _Parts(x_ND, classes, once_N), _Parts(y_NE, classes, once_N)
    rotation_DE = _turned(alpha, x, y, _polar(x_ND.T @ y_NE)[0], MOST_STEPS)

    def of_resample(w_N: Tensor) -> float:
        x, y = _Parts(x_ND, classes, w_N), _Parts(y_NE, classes, w_N)
        norms = x.size(alpha) * y.size(alpha)
        if float(norms) <= 0:
            return 0.0
        best_DE = _turned(alpha, x, y, rotation_DE, STEPS_OF_A_RESAMPLE)
        spread = sum(_overlap(a, b, best_DE) for a, b in zip(x.factors, y.factors, strict=True))
        means = ((x.means @ best_DE) * y.means).sum()
        return by_angle((alpha * means + (2 - alpha) * spread) / norms.sqrt())

    def compare(weights_RN: Tensor | None) -> list[float]:
        return [of_resample(w_N) for w_N in rows_of(weights_RN, x_ND)]

    return compare


class _Parts:
    """A representation's classes: their means times √n, and factors F of their scatters, FᵀF =
    n times the covariance, of no more rows than features."""

    def __init__(self, x_ND: Tensor, classes: Sequence[Tensor], w_N: Tensor) -> None:
        x_ND = x_ND - w_N @ x_ND / w_N.sum().clamp(min=1)
        means, self.factors = [], []
        for rows_C in classes:
            here_C = rows_C[w_N[rows_C] > 0]
            w_C, x_CD = w_N[here_C], x_ND[here_C]
            mean_D = w_C @ x_CD / w_C.sum().clamp(min=1)
            means.append(w_C.sum().sqrt() * mean_D)
            factor_CD = w_C.sqrt()[:, None] * (x_CD - mean_D)
            if len(factor_CD) > factor_CD.shape[1]:
                factor_CD = torch.linalg.qr(factor_CD, mode="r").R
            self.factors.append(factor_CD)
        self.means = torch.stack(means)

    def size(self, alpha: float) -> Tensor:
        spread = torch.cat(self.factors).square().sum()
        whole: Tensor = alpha * self.means.square().sum() + (2 - alpha) * spread
        return whole


def _overlap(a_CD: Tensor, b_CE: Tensor, rotation_DE: Tensor) -> Tensor:
    """|A^½ Q B^½|_* of two scatters by any of their factors."""
    if not len(a_CD):
        return rotation_DE.new_zeros(())
    values: Tensor = torch.linalg.svdvals(a_CD @ rotation_DE @ b_CE.T)
    return values.sum()


def _turned(alpha: float, x: _Parts, y: _Parts, rotation_DE: Tensor, most_steps: int) -> Tensor:
    """A rotation by which both fit better, by alternating projections from the one given, with
    Nesterov's momentum, begun anew where a step makes it worse (a tenth of the steps)."""
    means_DE, before = alpha * x.means.T @ y.means, -1.0
    looked_at_DE, momentum = rotation_DE, 1.0
    for _ in range(most_steps):
        turned_DE = means_DE.clone()
        for a_CD, b_CE in zip(x.factors, y.factors, strict=True):
            turned_DE += (2 - alpha) * a_CD.T @ _polar(a_CD @ looked_at_DE @ b_CE.T)[0] @ b_CE
        new_DE, value = _polar(turned_DE)
        if abs(value - before) <= CLOSE_ENOUGH * abs(value):
            return new_DE
        after = 1.0 if value < before else (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        looked_at_DE = new_DE + (momentum - 1) / after * (new_DE - rotation_DE)
        rotation_DE, momentum, before = new_DE, after, value
    return rotation_DE


def _polar(matrix: Tensor) -> tuple[Tensor, float]:
    """The (part of a) rotation nearest to a matrix, and their product."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return left @ right, float(values.sum())


gaussian_stochastic: Similarity = partial(_class_gaussians, 0.0)
wasserstein: Similarity = partial(_class_gaussians, 1.0)
