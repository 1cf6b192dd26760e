"""Centred kernel alignment with a Gaussian kernel.

Shape legend: N rows, D and E features, R resamples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.measures.similarities.similarity import Comparison, centred, ratio, rows_of

MOST_ROWS = 5000  # of three matrices of 200 MB


def cka_rbf(x_ND: Tensor, y_NE: Tensor, targets_N: Tensor | None = None) -> Comparison:
    """CKA with k(a, b) = exp(-|a - b|² / 2σ²), σ the median distance of two different rows of that
    representation (Kornblith et al., 2019, section 4, at a fraction of 1).

    The median is that of all rows, in every resample. Of more than 5,000 rows it looks at so many,
    evenly spaced. Widths may differ. Biased as linear CKA is.
    """
    chosen_N = _spaced(len(x_ND)).to(x_ND.device)
    k_NN, l_NN = (rbf_gram(features[chosen_N]) for features in (x_ND, y_NE))

    def compare(weights_RN: Tensor | None) -> list[float]:
        weights_RN = rows_of(weights_RN, x_ND)[:, chosen_N]
        shares_RN = weights_RN / weights_RN.sum(1, keepdim=True).clamp(min=1)
        k, m = ((gram_NN, shares_RN @ gram_NN) for gram_NN in (k_NN, l_NN))
        own_R, others_R = _hsic(k, k, shares_RN), _hsic(m, m, shares_RN)
        norms_R = (own_R.clamp(min=0) * others_R.clamp(min=0)).sqrt()
        return [ratio(a, b) for a, b in zip(_hsic(k, m, shares_RN), norms_R, strict=True)]

    return compare


def rbf_gram(features_ND: Tensor) -> Tensor:
    """The kernel's matrix (N, N) in float64; zeros where rows do not differ by half the pairs."""
    features_ND = centred(features_ND).double()
    squares_N = features_ND.square().sum(1)
    gram_NN = (squares_N[:, None] + squares_N - 2 * (features_ND @ features_ND.T)).clamp_(min=0)
    gram_NN.fill_diagonal_(0)
    num = len(gram_NN)
    if num < 2:
        return torch.zeros_like(gram_NN)
    # The median of the pairs i != j: the N zeros of the diagonal come first.
    rank = num + (num * (num - 1) + 1) // 2
    median = float(gram_NN.flatten().kthvalue(rank).values)
    if median <= 0:
        return torch.zeros_like(gram_NN)
    return gram_NN.mul_(-0.5 / median).exp_()


def _spaced(num_rows: int) -> Tensor:
    count = min(num_rows, MOST_ROWS)
    return torch.arange(count) * num_rows // max(1, count)


def _hsic(k: tuple[Tensor, Tensor], m: tuple[Tensor, Tensor], shares_RN: Tensor) -> Tensor:
    """The sum of p_i p_j K_ij L_ij of the centred matrices, for each resample (R,); of each matrix
    with its product with p."""
    (k_NN, k_RN), (l_NN, l_RN) = k, m
    both_R = ((shares_RN @ (k_NN * l_NN)) * shares_RN).sum(1)
    means_R = (k_RN * shares_RN).sum(1) * (l_RN * shares_RN).sum(1)
    return both_R - 2 * (shares_RN * k_RN * l_RN).sum(1) + means_R
