"""How sure a share, a rank correlation or a difference of means is. Pure.

Candidates of one parent are no independent witnesses: they have its weights, its images and its
seed. So what is drawn anew in a bootstrap is parents, each with all its pairs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.views.shape_fields import told

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2_000
FEWEST_CLUSTERS = 3  # of which a bootstrap says anything
TAIL = 0.025  # of a 95 % interval, on either side


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float | None = told("the value; null where it is not defined")
    low: float | None = told("lower end of its 95 % interval; null where it is not known")
    high: float | None = told("upper end")


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences over seeds, with Student's 95 % interval."""

    mean: float = told("the mean difference")
    low: float | None = told("lower end of its 95 % interval; null for one seed")
    high: float | None = told("upper end")
    count: int = told("over how many seeds that both have")


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Difference | None:
    """Ours less theirs, in pairs: mean ± t · s / √n with n - 1 degrees of freedom."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    if not differences:
        return None
    mean, count = statistics.fmean(differences), len(differences)
    if count < 2:
        return Difference(mean, None, None, count)
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, 1 - TAIL)) * statistics.stdev(differences) / math.sqrt(count)
    return Difference(mean, mean - half, mean + half, count)


# ------------------------------------------------------------ over pairs of candidates


@dataclass(frozen=True)
class PairDifference:
    """Two candidates of a parent: how far the signal and the outcome of the first are above the
    second's, both so that more is better."""

    cluster: str
    signal: float
    outcome: float


def concordance(pairs: Sequence[PairDifference]) -> Estimate:
    """The share of pairs whose better one has the higher signal; a tie of the signal is half a
    hit, pairs that are equally good are to be left out.

    Its interval is the percentile bootstrap over clusters. Where all of them agree that has no
    width, and the end is Clopper and Pearson's for as many trials as there are clusters.
    """
    import numpy as np

    if not pairs:
        return Estimate(None, None, None)
    wins, counts = _by_cluster(pairs)
    value = float(wins.sum() / counts.sum())
    if len(counts) < FEWEST_CLUSTERS:
        return Estimate(value, None, None)
    if value in (0.0, 1.0):
        edge = TAIL ** (1 / len(counts))
        return Estimate(value, *((edge, 1.0) if value else (0.0, 1 - edge)))
    drawn_RK = _draws(len(counts))
    shares = (drawn_RK @ wins) / (drawn_RK @ counts)
    low, high = np.quantile(shares, (TAIL, 1 - TAIL))
    return Estimate(value, float(low), float(high))


def tau(share: Estimate) -> Estimate:
    """Kendall's tau of a concordance: the share that agrees less the share that does not."""
    return Estimate(
        *(None if x is None else 2 * x - 1 for x in (share.value, share.low, share.high))
    )


def spearman(pairs: Sequence[PairDifference], resamples: int = RESAMPLES // 2) -> Estimate:
    """Spearman's rank correlation of the differences: whether a wider gap of the signal goes with
    a wider one of the outcome.

    Which of two is called the first is arbitrary, so every pair counts both ways round.
    """
    import numpy as np

    x = np.array([pair.signal for pair in pairs])
    y = np.array([pair.outcome for pair in pairs])
    clusters = list(dict.fromkeys(pair.cluster for pair in pairs))
    number = {name: k for k, name in enumerate(clusters)}
    of_pair = np.array([number[pair.cluster] for pair in pairs], dtype=int)
    value = _spearman(x, y)
    if value is None or len(clusters) < FEWEST_CLUSTERS:
        return Estimate(value, None, None)
    found = []
    for drawn_K in _draws(len(clusters))[:resamples]:
        rows = np.repeat(np.arange(len(pairs)), drawn_K[of_pair])
        if (one := _spearman(x[rows], y[rows])) is not None:
            found.append(one)
    low, high = np.quantile(found, (TAIL, 1 - TAIL)) if found else (math.nan, math.nan)
    return Estimate(value, float(low), float(high))


def _spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    import numpy as np
    from scipy.stats import rankdata

    if not len(x) or not x.any() or not y.any():
        return None
    ranks = [rankdata(np.concatenate((each, -each))) for each in (x, y)]
    a, b = (each - each.mean() for each in ranks)
    return float((a @ b) / math.sqrt((a @ a) * (b @ b)))


def _by_cluster(pairs: Sequence[PairDifference]) -> tuple[np.ndarray, np.ndarray]:
    """Hits and pairs of each cluster."""
    import numpy as np

    found: dict[str, list[float]] = {}
    for pair in pairs:
        sums = found.setdefault(pair.cluster, [0.0, 0.0])
        agreement = pair.signal * pair.outcome
        sums[0] += 0.5 if pair.signal == 0 else float(agreement > 0)
        sums[1] += 1
    table = np.array(list(found.values()))
    return table[:, 0], table[:, 1]


def _draws(clusters: int) -> np.ndarray:
    """How often each cluster is drawn in each resample, the same ones each time."""
    import numpy as np

    random = np.random.default_rng(0)
    return random.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES)
