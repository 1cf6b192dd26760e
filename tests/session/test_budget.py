"""Until when the policy decides alone: the limit that is reached first ends it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contracts.codec import decode, encode
from engine.contracts.errors import UsageError
from explorer.session.budget import MOST_DECISIONS, Budget, deadline, moment_in
from explorer.session.policy import Margin

NOW = time.mktime((2026, 11, 28, 22, 0, 0, 0, 0, -1))  # a Saturday
SIX = time.mktime((2026, 11, 29, 6, 0, 0, 0, 0, -1))
NUMBERS = st.none() | st.floats(0, 100)
BUDGETS = st.builds(
    Budget,
    decisions=st.none() | st.integers(0, MOST_DECISIONS),
    until=st.none() | st.floats(0, 1e11),
    target_macs=NUMBERS,
    max_drop=NUMBERS,
    stop_at_close_calls=st.booleans(),
)


@given(st.integers(0, 20), st.integers(0, 40))
def test_as_many_decisions_are_made_as_there_are_and_no_more(count, asked):
    budget, made = Budget(decisions=count), 0
    for _ in range(asked):
        if budget.spent(NOW) is None:
            made += 1
            budget = budget.after_one()
    assert made == min(count, asked)


@given(BUDGETS)
def test_it_is_the_same_after_it_was_written_and_read(budget):
    assert decode(Budget, encode(budget)) == budget


@given(BUDGETS, st.floats(0, 1e11))
def test_whichever_limit_is_reached_first_ends_it(budget, now):
    over = budget.decisions == 0 or (budget.until is not None and now >= budget.until)
    assert (budget.spent(now) is not None) == over


def test_a_time_is_a_wall_clock_s_and_holds_however_the_work_changed_hands():
    budget = decode(Budget, encode(Budget(until=SIX)))
    assert budget.spent(SIX - 1) is None
    assert budget.spent(SIX) == "06:00 has come"
    assert budget.spent(SIX + 90_000) == "Sun 06:00 has come"


@pytest.mark.parametrize(
    ("margin", "left"),
    [
        (Margin(0.01, -0.002, 0.02, True), "too close to call, margin +0.0100 [-0.0020, +0.0200]"),
        (Margin(0.01, 0.002, 0.02, False), None),
        (Margin(0.01, None, None, None), None),
        (None, None),
    ],
)
def test_close_calls_are_left_where_they_are_to_be(margin, left):
    assert Budget(decisions=9).leaves(margin) is None
    said = Budget(stop_at_close_calls=True).leaves(margin)
    assert said is None if left is None else said.startswith(left)


def test_a_branch_is_over_when_enough_is_gone_or_too_much_is_lost():
    budget = Budget(target_macs=40, max_drop=1.5)
    assert budget.reached(39.9, 1.5) is None and budget.reached(None, None) is None
    assert budget.reached(40.0, 0).startswith("target-macs: 40.00 %")
    assert budget.reached(80.0, 1.6).startswith("max-drop: validation accuracy is 1.60 points")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("8", 8 * 3600), ("8h", 8 * 3600), ("1.5 hours", 5400), ("90 min", 5400), ("1,5 h", 5400),
     ("06:00", SIX - NOW), ("6:00", SIX - NOW), ("22:30", 1800), ("22:00", 86400)],
)  # fmt: skip
def test_a_time_is_said_as_people_say_it(said, seconds):
    assert moment_in(said, NOW) == pytest.approx(NOW + seconds)
    assert moment_in(" ", NOW) is None


@pytest.mark.parametrize("said", ["soon", "25:00", "06:60", "-1", "0", "1e9", "nan", "9" * 99, "☃"])
def test_what_is_no_time_is_refused(said):
    with pytest.raises(UsageError):
        moment_in(said, NOW)


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), 1e9])
def test_hours_are_bounded(hours):
    with pytest.raises(UsageError):
        deadline(hours, NOW)


@pytest.mark.parametrize(
    "values",
    [{"decisions": -1}, {"decisions": 10**9}, {"until": float("nan")}, {"target_macs": 101.0},
     {"max_drop": -0.1}],
)  # fmt: skip
def test_limits_that_mean_nothing_are_refused(values):
    with pytest.raises(UsageError):
        Budget(**values)


def test_it_is_told_in_words():
    budget = Budget(3, SIX, 40.0, 1.5, True)
    assert budget.words(NOW) == (
        "3 decisions, until 06:00, until 40 % of the MACs are gone, at most 1.5 points of accuracy "
        "lost, stopping at close calls"
    )
    assert budget.brief(NOW) == "3 until 06:00 to −40% MACs"
    assert Budget(decisions=1).words(NOW) == "1 decision"
    assert not Budget().is_bounded and Budget(stop_at_close_calls=True).is_bounded
