"""Shares, rank correlations and differences of a study, by second derivations."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from explorer.views.study.statistics import (
    PairDifference,
    concordance,
    paired,
    spearman,
    tau,
)


def within(clusters: dict[str, list[tuple[float, float]]]) -> list[PairDifference]:
    """All pairs of siblings, each a (signal, outcome)."""
    return [
        PairDifference(name, a[0] - b[0], a[1] - b[1])
        for name, siblings in clusters.items()
        for a, b in itertools.combinations(siblings, 2)
        if a[1] != b[1]
    ]


def test_tau_of_one_parent_is_kendalls():
    random_ = random.Random(0)
    siblings = [(random_.random(), random_.random()) for _ in range(12)]
    expected = stats.kendalltau(*zip(*siblings, strict=True)).statistic
    assert tau(concordance(within({"R": siblings}))).value == pytest.approx(expected)


def test_tau_of_several_parents_is_the_mean_of_theirs_weighted_by_pairs():
    random_ = random.Random(1)
    clusters = {
        str(n): [(random_.random(), random_.random()) for _ in range(n)] for n in (2, 3, 5, 7)
    }
    taus = [stats.kendalltau(*zip(*each, strict=True)).statistic for each in clusters.values()]
    weights = [n * (n - 1) / 2 for n in (2, 3, 5, 7)]
    expected = sum(t * w for t, w in zip(taus, weights, strict=True)) / sum(weights)
    assert tau(concordance(within(clusters))).value == pytest.approx(expected)


def test_a_tie_of_the_signal_is_half_a_hit():
    pairs = [PairDifference("a", 0, 1), PairDifference("b", 2, 1), PairDifference("c", 0, -3)]
    assert concordance(pairs).value == pytest.approx(2 / 3)


def test_the_bootstrap_is_over_parents_not_over_pairs():
    """Twice the same pairs of the same parents says no more than once."""
    random_ = random.Random(2)
    once = [PairDifference(str(n), random_.gauss(0.5, 1), 1.0) for n in range(40)]
    few, many = concordance(once), concordance(once * 2)
    assert many == few
    apart = [PairDifference(f"{p.cluster}-{k}", p.signal, p.outcome)
             for k in range(2) for p in once]  # fmt: skip
    narrower = concordance(apart)
    assert narrower.high - narrower.low < 0.85 * (few.high - few.low)


def test_the_interval_of_independent_pairs_is_about_the_binomial_one():
    pairs = [PairDifference(str(n), 1.0 if n < 70 else -1.0, 1.0) for n in range(100)]
    found, exact = concordance(pairs), stats.binomtest(70, 100).proportion_ci(method="wilson")
    assert found.value == 0.7
    assert found.low == pytest.approx(exact.low, abs=0.02)
    assert found.high == pytest.approx(exact.high, abs=0.02)


@pytest.mark.parametrize("sign", [1, -1])
def test_where_all_parents_agree_the_end_is_clopper_and_pearsons(sign):
    pairs = [PairDifference(str(n), 1.0 * sign, 1.0) for n in range(9)]
    hits = 9 if sign > 0 else 0
    exact = stats.binomtest(hits, 9).proportion_ci(method="exact")
    found = concordance(pairs)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_of_two_parents_nothing_is_said_of_how_sure_it_is():
    pairs = [PairDifference("a", 1, 1), PairDifference("b", -1, 1)]
    assert (concordance(pairs).value, concordance(pairs).low) == (0.5, None)
    assert concordance([]).value is None


def test_spearman_is_scipys_over_both_ways_round():
    random_ = random.Random(3)
    pairs = [PairDifference(str(n), random_.choice([-1.0, 0.5, 2.0]), random_.gauss(0, 1))
             for n in range(30)]  # fmt: skip
    x = [s * p.signal for s in (1, -1) for p in pairs]
    y = [s * p.outcome for s in (1, -1) for p in pairs]
    found = spearman(pairs)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.low < found.value < found.high


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(-50, 50), st.integers(-50, 50).filter(bool)),
        min_size=1,
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
def test_which_of_two_is_called_the_first_changes_nothing(rows, random_):
    pairs = [PairDifference(str(c), s, o) for c, s, o in rows]
    turned = [
        PairDifference(p.cluster, -p.signal, -p.outcome) if random_.random() < 0.5 else p
        for p in pairs
    ]
    assert concordance(turned) == concordance(pairs)
    ours, theirs = spearman(turned, 20), spearman(pairs, 20)
    assert ours.value == pytest.approx(theirs.value)
    worse = concordance([PairDifference(p.cluster, -p.signal, p.outcome) for p in pairs])
    assert worse.value == pytest.approx(1 - concordance(pairs).value)


def test_paired_differences_are_students():
    ours, theirs = [91.2, 90.4, 92.0, 91.1, 90.9], [90.1, 90.6, 91.0, 90.2, 90.0]
    found = paired(ours, theirs)
    exact = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.mean == pytest.approx(sum(ours) / 5 - sum(theirs) / 5)
    assert (paired([1.5], [1.0]).mean, paired([1.5], [1.0]).low) == (0.5, None)
    assert paired([], []) is None
