"""How alike two representations of the same rows (images, tokens) are.

Shape legend: N rows, D and E features, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

CHUNK_ROWS = 512  # whose products are added up in float32, before float64 takes over


class Similarity(NamedTuple):
    """A measure in two steps, so that what depends on one representation alone is done once.

    `prepare` takes features (N, D); `compare` takes two prepared ones and how often each row
    counts (None: once), and gives a number in [0, 1].
    """

    prepare: Callable[[Tensor], Tensor]
    compare: Callable[[Tensor, Tensor, Tensor | None], float]

    def __call__(self, x_ND: Tensor, y_NE: Tensor, weights_N: Tensor | None = None) -> float:
        """The similarity of two representations. Raises ValueError for other numbers of rows."""
        if len(x_ND) != len(y_NE):
            raise ValueError(f"{len(x_ND)} and {len(y_NE)} rows; compare the same rows")
        return self.compare(self.prepare(x_ND), self.prepare(y_NE), weights_N)


def _centred(features_ND: Tensor) -> Tensor:
    """Near zero, where rounding errors are small, and scaled so that nothing overflows.

    The rest of the mean, that of a resample included, is taken away from the products.
    """
    if not features_ND.numel():
        return features_ND
    centred_ND = features_ND - features_ND.mean(0)
    largest = float(torch.linalg.vector_norm(centred_ND, torch.inf))
    return centred_ND / largest if largest > 0 else centred_ND


def _cka(x_ND: Tensor, y_NE: Tensor, weights_N: Tensor | None) -> float:
    if min(x_ND.shape[1], y_NE.shape[1]) > len(x_ND):
        return _cka_of_grams(x_ND.double(), y_NE.double(), weights_N)
    # ||XᵀY||² / (||XᵀX|| ||YᵀY||): the D×D form, cheaper than Gram matrices when N > D.
    xx_DD, xy_DE, yy_EE = _covariances(x_ND, y_NE, weights_N)
    return _ratio(xy_DE.square().sum(), xx_DD.norm() * yy_EE.norm())


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
    return _ratio((k_NN * l_NN).sum(), k_NN.norm() * l_NN.norm())


def _ratio(cross: Tensor, norms: Tensor) -> float:
    if float(norms) <= 0:
        return 0.0
    return min(1.0, max(0.0, float(cross / norms)))


# Linear CKA in [0, 1] (Kornblith et al., 2019; Eq. 1 and 2 of the paper with k(a, b) = a·b). Two
# constant representations carry no information: their similarity is 0.
linear_cka = Similarity(_centred, _cka)

SIMILARITIES: dict[str, Similarity] = {"cka": linear_cka}


def resampled(
    similarity: Similarity,
    x_ND: Tensor,
    y_NE: Tensor,
    num_resamples: int,
    seed: int,
    items_N: Tensor | None = None,
) -> list[float]:
    """The similarity on R bootstrap resamples of the items that rows belong to (None: each row is
    one): rows of one item come and go together, for they are alike.

    The resamples depend on the seed and the number of items alone, so two candidates measured with
    the same seed anywhere form pairs, and the differences of the pairs are a bootstrap of the
    margin.
    """
    numbers_N = (
        torch.arange(len(x_ND)) if items_N is None else items_N.unique(return_inverse=True)[1]
    )
    num_items = int(numbers_N.max()) + 1 if len(numbers_N) else 0
    generator = torch.Generator().manual_seed(seed)
    x_ND, y_NE = similarity.prepare(x_ND), similarity.prepare(y_NE)
    values = []
    for _ in range(num_resamples):
        drawn = torch.randint(num_items, (num_items,), generator=generator)
        counts = torch.bincount(drawn, minlength=num_items)
        values.append(similarity.compare(x_ND, y_NE, counts[numbers_N].to(x_ND.device)))
    return values
