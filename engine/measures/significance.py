"""Whether a difference between two counts of right answers could be chance."""

from __future__ import annotations

import math


def binomial_tail(successes: int, trials: int, probability: float) -> float:
    """How likely at least that many successes are where each has this probability."""
    if successes <= 0:
        return 1.0
    if not 0 < probability < 1:
        return 1.0 if probability >= 1 else 0.0
    terms = (
        math.exp(
            math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
            + k * math.log(probability) + (trials - k) * math.log1p(-probability)
        )
        for k in range(successes, trials + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(terms))


def sign_test(only_first: int, only_second: int) -> float:
    """The two-sided exact p-value of McNemar's test: `only_first` images are right by the first
    network alone, `only_second` by the second alone; under chance both are as likely."""
    more, disagreeing = max(only_first, only_second), only_first + only_second
    return min(1.0, 2 * binomial_tail(more, disagreeing, 0.5))


def standard_error(percent: float, num_images: int, other: float, num_others: int) -> float:
    """The standard error of the difference of two accuracies in percent, were they equal."""
    right = percent * num_images + other * num_others
    pooled = min(max(right / (100 * (num_images + num_others)), 1e-9), 1 - 1e-9)
    return 100 * math.sqrt(pooled * (1 - pooled) * (1 / num_images + 1 / num_others))
