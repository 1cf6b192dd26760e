"""Linear centred kernel alignment.

Shape legend: N rows, D and E features, R resamples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.measures.similarities.similarity import Comparison, centred, ratio

CHUNK_ROWS = 512  # whose products are added up in float32, before float64 takes over


def cka(x_ND: Tensor, y_NE: Tensor, targets_N: Tensor | None = None) -> Comparison:
    """Linear CKA (Kornblith et al., 2019; Eq. 1 and 2 of the paper with k(a, b) = a·b).

    Widths may differ. It is biased upwards where there are few rows for the width
    (`chance_level`). Two constant representations carry no information: their similarity is 0.
    """
    x_ND, y_NE = centred(x_ND), centred(y_NE)

    def compare(weights_RN: Tensor | None) -> list[float]:
        rows = [None] if weights_RN is None else weights_RN
        return [_cka(x_ND, y_NE, weights_N) for weights_N in rows]

    return compare


def chance_level(x_ND: Tensor, y_NE: Tensor) -> float:
    """The mean linear CKA of x with the rows of y in a random order: what unrelated features of
    these widths and spectra have by chance.

    Exact: with centred Gram matrices K and L it is tr K tr L / (N - 1) / (|K| |L|) (Kazi-Aoual et
    al., 1995; Josse et al., 2008, for the RV coefficient, which linear CKA is).
    """
    if len(x_ND) < 2:
        return 1.0
    sides = []
    for features in (centred(x_ND).double(), centred(y_NE).double()):
        features = features - features.mean(0)
        wide = features.shape[1] > len(features)
        product = features @ features.T if wide else features.T @ features
        sides.append((features.square().sum(), product.norm()))
    (trace_x, norm_x), (trace_y, norm_y) = sides
    return ratio(trace_x * trace_y / (len(x_ND) - 1), norm_x * norm_y)


def _cka(x_ND: Tensor, y_NE: Tensor, weights_N: Tensor | None) -> float:
    if min(x_ND.shape[1], y_NE.shape[1]) > len(x_ND):
        return _cka_of_grams(x_ND.double(), y_NE.double(), weights_N)
    # ||XᵀY||² / (||XᵀX|| ||YᵀY||): the D×D form, cheaper than Gram matrices when N > D.
    xx_DD, xy_DE, yy_EE = _covariances(x_ND, y_NE, weights_N)
    return ratio(xy_DE.square().sum(), xx_DD.norm() * yy_EE.norm())


def _covariances(x_ND: Tensor, y_NE: Tensor, weights_N: Tensor | None) -> list[Tensor]:
    """XᵀWX, XᵀWY and YᵀWY of the features without their weighted means, in float64.

    Products of a chunk are made in the features' own type: for float32 that is several times as
    quick, and the rounding errors of a chunk stay below 1e-7 of the result.
    """
    sides = ((x_ND, x_ND), (x_ND, y_NE), (y_NE, y_NE))
    totals = [
        torch.zeros(a.shape[1], b.shape[1], dtype=torch.float64, device=a.device) for a, b in sides
    ]
    sum_D, sum_E = totals[0].new_zeros(x_ND.shape[1]), totals[0].new_zeros(y_NE.shape[1])
    for offset in range(0, len(x_ND), CHUNK_ROWS):
        rows = slice(offset, offset + CHUNK_ROWS)
        x_CD, y_CE = x_ND[rows], y_NE[rows]
        weighted_CD, weighted_CE = x_CD, y_CE
        if weights_N is not None:
            weights_C1 = weights_N[rows, None].to(x_ND.dtype)
            weighted_CD, weighted_CE = weights_C1 * x_CD, weights_C1 * y_CE
        totals[0] += weighted_CD.T @ x_CD
        totals[1] += weighted_CD.T @ y_CE
        totals[2] += weighted_CE.T @ y_CE
        sum_D += weighted_CD.sum(0)
        sum_E += weighted_CE.sum(0)
    count = len(x_ND) if weights_N is None else weights_N.double().sum()
    sums = ((sum_D, sum_D), (sum_D, sum_E), (sum_E, sum_E))
    return [total - torch.outer(a, b) / count for total, (a, b) in zip(totals, sums, strict=True)]


def _cka_of_grams(x_ND: Tensor, y_NE: Tensor, weights_N: Tensor | None) -> float:
    """The same by Gram matrices, for fewer rows than features."""
    weights_N = torch.ones_like(x_ND[:, 0]) if weights_N is None else weights_N.double()
    roots_N1, share_N = weights_N.sqrt()[:, None], weights_N / weights_N.sum()
    x_ND, y_NE = roots_N1 * (x_ND - share_N @ x_ND), roots_N1 * (y_NE - share_N @ y_NE)
    k_NN, l_NN = x_ND @ x_ND.T, y_NE @ y_NE.T
    return ratio((k_NN * l_NN).sum(), k_NN.norm() * l_NN.norm())
