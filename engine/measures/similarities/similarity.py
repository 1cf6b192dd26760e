"""What a measure of similarity is: two representations of the same rows, compared as often as rows
are drawn again.

Shape legend: N rows (images, tokens), D and E features, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

# How often each row counts in each of R resamples (R, N); None: every row once, one value.
Comparison = Callable[[Tensor | None], list[float]]


class Similarity(Protocol):
    """A measure: 1 for the same representation, 0 for unrelated ones, the same both ways round.

    What can be made once for all resamples (centred features, products, Gram matrices) is made
    when it is called with features (N, D) and (N, E), and with the classes of the rows (N,), which
    measures of stochastic representations look at. Raises UserError where widths must be equal.
    """

    def __call__(
        self, x_ND: Tensor, y_NE: Tensor, targets_N: Tensor | None = None, /
    ) -> Comparison: ...


def centred(features_ND: Tensor) -> Tensor:
    """Near zero, where rounding errors are small, and scaled so that nothing overflows.

    The rest of the mean, that of a resample included, is taken away from the products.
    """
    if not features_ND.numel():
        return features_ND
    centred_ND = features_ND - features_ND.mean(0)
    largest = float(torch.linalg.vector_norm(centred_ND, torch.inf))
    return centred_ND / largest if largest > 0 else centred_ND


def principal(features_ND: Tensor, most: int) -> Tensor:
    """The features, or so many of their principal components where there are more: rotations of
    thousands of features take minutes each."""
    if features_ND.shape[1] <= most:
        return features_ND
    axes_DD: Tensor = torch.linalg.eigh(features_ND.T @ features_ND).eigenvectors
    return features_ND @ axes_DD[:, -most:]


def in_range(value: Tensor | float) -> float:
    """A similarity as a number in [0, 1]: rounding and noise may lead a little out of it."""
    return min(1.0, max(0.0, float(value)))


def ratio(cross: Tensor | float, norms: Tensor | float) -> float:
    """A cross term over norms. A constant representation carries no information: like nothing."""
    return in_range(cross / norms) if float(norms) > 0 else 0.0


def by_angle(cosine: Tensor | float) -> float:
    """1 - 2θ/π of the angle θ whose cosine is given: 1 for none, 0 for a right one."""
    return 1 - 2 * math.acos(in_range(cosine)) / math.pi


def rows_of(weights_RN: Tensor | None, features_ND: Tensor) -> Tensor:
    """The weights of resamples in float64, ones where each row counts once."""
    if weights_RN is None:
        return torch.ones(1, len(features_ND), dtype=torch.float64, device=features_ND.device)
    return weights_RN.to(features_ND.device, torch.float64)
