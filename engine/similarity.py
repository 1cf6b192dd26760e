"""How alike two representations of the same images are.

Shape legend: N images, D and E features, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Similarity = Callable[[Tensor, Tensor, Tensor | None], float]


def linear_cka(x_ND: Tensor, y_NE: Tensor, weights_N: Tensor | None = None) -> float:
    """Linear CKA in [0, 1] (Kornblith et al., 2019; Eq. 1 and 2 of the paper with k(a, b) = a·b).

    `weights_N` counts how often each image is taken (a bootstrap resample); None takes each once.
    Two constant representations carry no information: their similarity is 0.

    Raises ValueError for different numbers of images.
    """
    if len(x_ND) != len(y_NE):
        raise ValueError(f"{len(x_ND)} and {len(y_NE)} images; CKA compares the same images")
    x_ND, y_NE = x_ND.double(), y_NE.double()
    if weights_N is None:
        x_ND, y_NE = x_ND - x_ND.mean(0), y_NE - y_NE.mean(0)
    else:
        scale_N1 = weights_N.to(x_ND).sqrt()[:, None]
        total = float(weights_N.sum())
        x_ND = scale_N1 * (x_ND - (scale_N1.square() * x_ND).sum(0) / total)
        y_NE = scale_N1 * (y_NE - (scale_N1.square() * y_NE).sum(0) / total)
    if min(x_ND.shape[1], y_NE.shape[1]) > len(x_ND):
        return _cka_of_grams(x_ND @ x_ND.T, y_NE @ y_NE.T)
    # ||XᵀY||² / (||XᵀX|| ||YᵀY||): the D×D form, cheaper than Gram matrices when N > D.
    cross = (x_ND.T @ y_NE).square().sum()
    norms = (x_ND.T @ x_ND).norm() * (y_NE.T @ y_NE).norm()
    return _ratio(cross, norms)


def _cka_of_grams(k_NN: Tensor, l_NN: Tensor) -> float:
    return _ratio((k_NN * l_NN).sum(), k_NN.norm() * l_NN.norm())


def _ratio(cross: Tensor, norms: Tensor) -> float:
    if float(norms) <= 0:
        return 0.0
    return min(1.0, max(0.0, float(cross / norms)))


SIMILARITIES: dict[str, Similarity] = {"cka": linear_cka}


def resampled(
    similarity: Similarity, x_ND: Tensor, y_NE: Tensor, num_resamples: int, seed: int
) -> list[float]:
    """The similarity on R bootstrap resamples of the images.

    The resamples depend on the seed and N alone, so two candidates measured with the same seed
    anywhere form pairs, and the differences of the pairs are a bootstrap of the margin.
    """
    num_images = len(x_ND)
    generator = torch.Generator().manual_seed(seed)
    x_ND, y_NE = x_ND.double(), y_NE.double()
    values = []
    for _ in range(num_resamples):
        drawn_N = torch.randint(num_images, (num_images,), generator=generator)
        weights_N = torch.bincount(drawn_N, minlength=num_images).to(x_ND)
        values.append(similarity(x_ND, y_NE, weights_N))
    return values
