"""How alike two rankings are."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.measures.rank_correlation import (
    estimate,
    least_in_common,
    ranks_of,
    spearman,
    spearman_within,
)

few_values = st.lists(st.integers(0, 5), min_size=4, max_size=12)


@given(few_values)
def test_a_rank_is_how_many_are_below_and_half_of_the_equals(values):
    found = ranks_of(np.array(values))
    for value, rank in zip(values, found, strict=True):
        below = sum(other < value for other in values)
        assert rank == below + (values.count(value) + 1) / 2


def test_without_ties_it_is_the_formula_of_squared_differences():
    for order in permutations(range(5)):
        x, y = np.arange(5.0), np.array(order, float)
        expected = 1 - 6 * float(((x - y) ** 2).sum()) / (5 * 24)
        assert spearman(x, y) == pytest.approx(expected)


def test_with_ties_it_is_pearsons_of_the_ranks():
    """By hand: ranks 1 2.5 2.5 4 5 and 2 1 3.5 3.5 5, whose products sum to 7.25 of 9.5."""
    found = spearman(np.array([1, 2, 2, 3, 5]), np.array([2, 1, 4, 4, 9]))
    assert found == pytest.approx(7.25 / 9.5)


@given(few_values, few_values)
def test_only_the_order_counts(a, b):
    count = min(len(a), len(b))
    x, y = np.array(a[:count], float), np.array(b[:count], float)
    found = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(found)
        return
    assert spearman(np.exp(x), 3 * y - 7) == pytest.approx(found)
    assert spearman(-x, y) == pytest.approx(-found)
    assert -1 - 1e-9 <= found <= 1 + 1e-9


def test_the_least_tenth_in_common():
    x = np.arange(40.0)
    assert least_in_common(x, x) == 1
    assert least_in_common(x, -x) == 0
    y = x.copy()
    y[[0, 39]] = y[[39, 0]]
    assert least_in_common(x, y) == 0.75
    assert least_in_common(x[:3], x[:3]) == 1  # of few, one


def test_within_groups_the_scales_of_groups_do_not_count():
    x = np.array([1, 2, 3, 10, 30, 20, 40], float)
    y = np.array([100, 200, 300, 1, 2, 3, 4], float)
    assert spearman_within([3, 4])(x, y) == pytest.approx((3 * 1 + 4 * 0.8) / 7)
    assert spearman(x, y) < 0
    y[:3] = 5  # no order
    assert spearman_within([3, 4])(x, y) == pytest.approx(0.8)


def test_an_interval_is_of_draws_drawn_again_and_narrow_where_these_agree():
    random = np.random.default_rng(0)
    truth = np.linspace(0, 1, 30)
    noisy, sure = (truth + s * random.normal(size=(8, 30)) for s in (0.8, 1e-3))
    exact = np.tile(truth, (8, 1))
    wide, narrow = (estimate(spearman, exact, each, seed=1) for each in (noisy, sure))
    assert wide.low < wide.high < narrow.low <= narrow.value <= narrow.high
    assert estimate(spearman, exact, noisy, seed=1) == wide
    assert estimate(spearman, exact[:, :2], noisy[:, :2], seed=1) is None
