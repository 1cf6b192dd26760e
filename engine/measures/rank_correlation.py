"""How alike two rankings are, with intervals over draws of what they were made from.

Shape legend: D draws, S structures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.contracts.comparing import Estimate

LEAST = 0.1  # of the structures, those that go first
RESAMPLES = 200
FEWEST = 3  # of which an order tells something

Alike = Callable[[np.ndarray, np.ndarray], float]


def ranks_of(values_S: np.ndarray) -> np.ndarray:
    """The rank of each value; equals share the mean of theirs."""
    _, inverse_S, counts = np.unique(values_S, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: np.ndarray = (last - (counts - 1) / 2)[inverse_S]
    return ranks


def spearman(x_S: np.ndarray, y_S: np.ndarray) -> float:
    """Spearman's rank correlation, ties counted in: that of Pearson between the ranks. NaN where
    either holds equal values only."""
    a_S, b_S = (ranks - ranks.mean() for ranks in (ranks_of(x_S), ranks_of(y_S)))
    spread = float(np.sqrt((a_S @ a_S) * (b_S @ b_S)))
    return float(a_S @ b_S) / spread if spread else float("nan")


def spearman_within(sizes: Sequence[int]) -> Alike:
    """The mean of the rank correlations within groups of those sizes that lie one after the other,
    weighed by their units; groups without an order say nothing."""
    ends = np.cumsum(sizes)

    def within(x_S: np.ndarray, y_S: np.ndarray) -> float:
        found = [
            (spearman(x_S[end - size : end], y_S[end - size : end]), size)
            for size, end in zip(sizes, ends, strict=True)
            if size >= FEWEST
        ]
        known = [(value, size) for value, size in found if np.isfinite(value)]
        total = sum(size for _, size in known)
        return sum(value * size for value, size in known) / total if total else float("nan")

    return within


def least_in_common(x_S: np.ndarray, y_S: np.ndarray) -> float:
    """The part of the least tenth by one that is among the least tenth by the other; of equals the
    first ones are taken, as a candidate does."""
    count = max(1, round(LEAST * len(x_S)))
    least = [set(np.argsort(values, kind="stable")[:count].tolist()) for values in (x_S, y_S)]
    return len(least[0] & least[1]) / count


def estimate(alike: Alike, x_DS: np.ndarray, y_DS: np.ndarray, seed: int) -> Estimate | None:
    """How alike the mean scores of two criteria are, and the 95 % interval when draws are drawn
    again, the same ones for both (bootstrap, percentiles). None where there are too few
    structures, or no order."""
    if x_DS.shape[1] < FEWEST:
        return None
    value = alike(x_DS.mean(0), y_DS.mean(0))
    random = np.random.default_rng(seed)
    num_draws = len(x_DS)
    found = []
    for _ in range(RESAMPLES):
        again = random.integers(num_draws, size=num_draws)
        found.append(alike(x_DS[again].mean(0), y_DS[again].mean(0)))
    known = [each for each in found if np.isfinite(each)]
    if not (np.isfinite(value) and known):
        return None
    low, high = np.percentile(known, (2.5, 97.5))
    return Estimate(value, float(low), float(high))
