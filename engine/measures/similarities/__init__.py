"""How alike two representations of the same rows (images, tokens) are: every measure by its name.

Shape legend: N rows, D and E features, R resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from engine.measures.similarities.cka import chance_level, cka
from engine.measures.similarities.cka_debiased import cka_debiased
from engine.measures.similarities.cka_rbf import cka_rbf
from engine.measures.similarities.class_gaussians import gaussian_stochastic, wasserstein
from engine.measures.similarities.cosine import cosine
from engine.measures.similarities.procrustes import procrustes
from engine.measures.similarities.similarity import Comparison, Similarity

__all__ = [
    "SIMILARITIES",
    "Comparison",
    "Similarity",
    "alike",
    "chance_level",
    "compared",
    "draws",
    "resampled",
]

SIMILARITIES: dict[str, Similarity] = {
    "cka": cka,
    "cka-debiased": cka_debiased,
    "cka-rbf": cka_rbf,
    "cosine": cosine,
    "procrustes": procrustes,
    "gaussian-stochastic": gaussian_stochastic,
    "wasserstein": wasserstein,
}
AT_ONCE = 2**24  # weights of rows that are made at a time


def alike(
    similarity: Similarity,
    x_ND: Tensor,
    y_NE: Tensor,
    weights_N: Tensor | None = None,
    targets_N: Tensor | None = None,
) -> float:
    """The similarity of two representations. Raises ValueError for other numbers of rows."""
    comparison = _comparison(similarity, x_ND, y_NE, targets_N)
    return comparison(None if weights_N is None else weights_N[None])[0]


def draws(
    num_rows: int, num_resamples: int, seed: int, items_N: Tensor | None = None
) -> Iterator[Tensor]:
    """How often each row counts in bootstrap resamples of the items that rows belong to (None:
    each row is one), some resamples at a time (R, N): rows of one item come and go together, for
    they are alike.

    They depend on the seed and the number of items alone, so two candidates measured with the same
    seed anywhere form pairs, and the differences of the pairs are a bootstrap of the margin.
    """
    rows_N = torch.arange(num_rows)
    numbers_N = rows_N if items_N is None else items_N.unique(return_inverse=True)[1]
    num_items = int(numbers_N.max()) + 1 if len(numbers_N) else 0
    generator = torch.Generator().manual_seed(seed)
    at_once = max(1, AT_ONCE // max(1, num_rows))
    for begin in range(0, num_resamples, at_once):
        counts = []
        for _ in range(min(at_once, num_resamples - begin)):
            drawn = torch.randint(num_items, (num_items,), generator=generator)
            counts.append(torch.bincount(drawn, minlength=num_items)[numbers_N])
        yield torch.stack(counts)


def compared(
    similarity: Similarity,
    layers: Sequence[tuple[Tensor, Tensor]],
    num_resamples: int,
    seed: int,
    items_N: Tensor | None = None,
    targets_N: Tensor | None = None,
) -> tuple[float, list[float]]:
    """The similarity of layers (x (N, D), y (N, E)), their mean where there are several, and the
    same on each resample; one layer's products are held at a time."""
    values, resamples = [], []
    for x_ND, y_NE in layers:
        comparison = _comparison(similarity, x_ND, y_NE, targets_N)
        values += comparison(None)
        drawn = draws(len(x_ND), num_resamples, seed, items_N)
        resamples.append([v for counts in drawn for v in comparison(counts.to(x_ND.device))])
    if len(values) == 1:
        return values[0], resamples[0]
    means = [sum(of_one) / len(values) for of_one in zip(*resamples, strict=True)]
    return sum(values) / len(values), means


def resampled(
    similarity: Similarity,
    x_ND: Tensor,
    y_NE: Tensor,
    num_resamples: int,
    seed: int,
    items_N: Tensor | None = None,
    targets_N: Tensor | None = None,
) -> list[float]:
    """The similarity on R bootstrap resamples (`draws`)."""
    return compared(similarity, [(x_ND, y_NE)], num_resamples, seed, items_N, targets_N)[1]


def _comparison(
    similarity: Similarity, x_ND: Tensor, y_NE: Tensor, targets_N: Tensor | None
) -> Comparison:
    if len(x_ND) != len(y_NE):
        raise ValueError(f"{len(x_ND)} and {len(y_NE)} rows; compare the same rows")
    return similarity(x_ND, y_NE, targets_N)
