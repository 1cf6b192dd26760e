"""Debiased linear centred kernel alignment: near 0 for unrelated features of any width.

Shape legend: N rows, D and E features, R resamples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.measures.similarities.similarity import Comparison, centred, ratio, rows_of

MOST_GRAM_ROWS = 4096  # of five matrices of 128 MiB


def cka_debiased(x_ND: Tensor, y_NE: Tensor, targets_N: Tensor | None = None) -> Comparison:
    """Linear CKA of the unbiased estimator of HSIC (Song et al., 2012, Eq. 5): the mean of
    K_ij (L_ij - 2 L_iq + L_qr) over all i, j, q, r that are four different rows.

    Of a resample it is the same mean, each four counted w_i w_j w_q w_r times: two copies of one
    row are never two of the four. (The formula applied to a bootstrap's rows, copies and all, would
    meet a row's products with itself between copies, and be biased again.) Widths may differ;
    what comes out below 0 is 0, and so is it with fewer than four rows. Rows of one item count as
    different rows.
    """
    x_ND, y_NE = centred(x_ND), centred(y_NE)
    width = min(x_ND.shape[1], y_NE.shape[1])
    by_grams = len(x_ND) <= min(MOST_GRAM_ROWS, 4 * width)
    sums = _Grams(x_ND, y_NE) if by_grams else _Features(x_ND, y_NE)

    def compare(weights_RN: Tensor | None) -> list[float]:
        weights_RN = rows_of(weights_RN, x_ND)
        cross_R, own_R, others_R = sums.hsic(weights_RN)
        enough_R = (weights_RN > 0).sum(1) >= 4
        norms_R = (own_R.clamp(min=0) * others_R.clamp(min=0)).sqrt() * enough_R
        return [ratio(a, b) for a, b in zip(cross_R, norms_R, strict=True)]

    return compare


class _Grams:
    """HSIC of (x, y), (x, x) and (y, y), from Gram matrices that are made once."""

    def __init__(self, x_ND: Tensor, y_NE: Tensor) -> None:
        x_ND, y_NE = x_ND.double(), y_NE.double()
        k_NN, l_NN = (x_ND @ x_ND.T).fill_diagonal_(0), (y_NE @ y_NE.T).fill_diagonal_(0)
        self.grams = (k_NN, l_NN)
        self.products = (k_NN * l_NN, k_NN * k_NN, l_NN * l_NN)

    def hsic(self, w_RN: Tensor) -> list[Tensor]:
        """Each of the three for each resample (R,), up to a factor that all three share."""
        square_RN = w_RN.square()
        both = torch.cat([w_RN, square_RN])
        k, m = ((both @ gram_NN).chunk(2) for gram_NN in self.grams)
        found = []
        for m_NN, (a, b) in zip(self.products, ((k, m), (k, k), (m, m)), strict=True):
            once_RN, twice_RN = (both @ m_NN).chunk(2)
            pairs = (
                (once_RN * w_RN).sum(1), (once_RN * square_RN).sum(1),
                (twice_RN * square_RN).sum(1),
            )  # fmt: skip
            found.append(_of_fours(w_RN, pairs, (a[0], a[1]), (b[0], b[1])))
        return found


class _Features:
    """The same from products of features (D, E), for more rows than Gram matrices are good for."""

    def __init__(self, x_ND: Tensor, y_NE: Tensor) -> None:
        self.sides = (x_ND, y_NE)
        self.squares = tuple(side.double().square().sum(1) for side in self.sides)

    def hsic(self, w_RN: Tensor) -> list[Tensor]:
        by_resample = [torch.stack(self._of_one(w_N[None])) for w_N in w_RN]
        return list(torch.stack(by_resample, 1))

    def _of_one(self, w_1N: Tensor) -> list[Tensor]:
        w_N = w_1N[0]
        sums = [self._sums(index, w_N) for index in (0, 1)]
        found = []
        for first, second in ((0, 1), (0, 0), (1, 1)):
            once, twice = self._crosses(first, second, w_N)
            own_N = self.squares[first] * self.squares[second]
            pairs = (
                (once * once).sum() - w_N.square() @ own_N,
                (once * twice).sum() - w_N.pow(3) @ own_N,
                (twice * twice).sum() - w_N.pow(4) @ own_N,
            )
            found.append(_of_fours(w_1N, pairs, sums[first], sums[second])[0])
        return found

    def _sums(self, index: int, w_N: Tensor) -> tuple[Tensor, Tensor]:
        """K w and K w² of the Gram matrix K without its diagonal, each (1, N)."""
        features, squares_N = self.sides[index], self.squares[index]
        found = []
        for weights_N in (w_N, w_N.square()):
            total_D = weights_N.to(features.dtype) @ features
            found.append(((features @ total_D).double() - weights_N * squares_N)[None])
        return found[0], found[1]

    def _crosses(self, first: int, second: int, w_N: Tensor) -> tuple[Tensor, Tensor]:
        """XᵀWY and XᵀW²Y, products of a few rows in the features' own type."""
        x_ND, y_NE = self.sides[first], self.sides[second]
        found = []
        for weights_N in (w_N, w_N.square()):
            total = w_N.new_zeros(x_ND.shape[1], y_NE.shape[1])
            weights_N1 = weights_N.to(x_ND.dtype)[:, None]
            for x_CD, y_CE, weights_C1 in zip(
                x_ND.split(512), y_NE.split(512), weights_N1.split(512), strict=True
            ):
                total += (weights_C1 * x_CD).T @ y_CE
            found.append(total)
        return found[0], found[1]


def _of_fours(
    w_RN: Tensor, pairs: tuple[Tensor, ...], k: tuple[Tensor, Tensor], m: tuple[Tensor, Tensor]
) -> Tensor:
    """The sum over fours of different rows, each counted w_i w_j w_q w_r times (R,).

    `pairs` are wᵀPw, wᵀPw² and w²ᵀPw² with P = K∘L; `k` and `m` are K and L times w and w²; both
    Gram matrices without their diagonals. Inclusion and exclusion over which of q and r are i or
    j; with w = 1 it is N (N-1) (N-2) (N-3) times Eq. 5 of Song et al.
    """
    (k1_RN, k2_RN), (m1_RN, m2_RN) = k, m
    total_R, squares_R = w_RN.sum(1), w_RN.square().sum(1)
    once_R, mixed_R, twice_R = pairs
    of_pairs = (total_R.square() - squares_R) * once_R - 2 * total_R * mixed_R + 2 * twice_R
    products_RN = k1_RN * m1_RN
    of_threes = (
        total_R * (w_RN * products_RN).sum(1)
        + (w_RN.square() * products_RN).sum(1)
        - (w_RN * (k2_RN * m1_RN + k1_RN * m2_RN)).sum(1)
    )
    return of_pairs - 2 * of_threes + (w_RN * k1_RN).sum(1) * (w_RN * m1_RN).sum(1)
