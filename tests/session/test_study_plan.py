"""How long a study takes: exact arithmetic on made-up speeds."""

from __future__ import annotations

import pytest
from test_plan import BASE, DATA, TWO, predicted

from engine.contracts.settings import Settings, with_values
from explorer.session.study.runs import Cell, controls_of
from explorer.session.study.ways import Way
from explorer.views.plan import QUICKER, SLOWER
from explorer.views.study.plan import StudyTime

DEEP = {**BASE, "iterations": 3}
CKA, LAYERS, COSINE = (
    Way("cka"),
    Way("layers", {"policy": "layers"}),
    Way("cosine", {"schedule": "cosine"}),
)


def time_of(ways, seeds=1, decided=0, controls=(), clock=lambda: 0.0) -> StudyTime:
    cells = {
        Cell(way, seed): (with_values(Settings(), {**DEEP, **way.settings}), decided)
        for seed in range(seeds)
        for way in ways
    }
    return StudyTime(cells, controls, DATA, 1_000, TWO, clock)


def alone(way: Way, decided: int = 0):
    return predicted(decided=decided, **{**DEEP, **way.settings})


def test_one_way_takes_what_its_tree_takes():
    found, tree = time_of([CKA]).plan, alone(CKA).tree
    assert (found.time.low, found.time.high) == pytest.approx((tree.low, tree.high))
    assert (found.ways, found.seeds, found.decisions, found.epochs) == (1, 1, 3, 15)


def test_ways_that_have_nodes_in_common_take_less_than_their_sum():
    """At least the longer of the two, at most both but for the first decision, made once."""
    found, (cka, layers) = time_of([CKA, LAYERS]).plan.time, map(alone, (CKA, LAYERS))
    assert found.low == pytest.approx(max(cka.tree.low, layers.tree.low))
    assert found.high == pytest.approx(cka.tree.high + layers.tree.high - layers.decision.low)


def test_ways_that_train_otherwise_have_no_node_in_common():
    found = time_of([CKA, COSINE]).plan.time
    assert found.low == pytest.approx(alone(CKA).tree.low + alone(COSINE).tree.low)


def test_seeds_have_no_node_in_common_and_what_is_decided_is_not_counted():
    assert time_of([CKA], seeds=4).plan.time.low == pytest.approx(4 * alone(CKA).tree.low)
    assert time_of([CKA], decided=2).plan.time.high == pytest.approx(alone(CKA, 2).tree.high)
    done = time_of([CKA], seeds=2, decided=3).plan
    assert (done.finished, done.time.seconds) == (2, 0.0)


def test_a_root_is_trained_for_as_many_epochs_as_a_way_s_path():
    (control,) = controls_of([CKA], [with_values(Settings(), DEEP)])
    more = time_of([CKA], controls=[(control, 0)]).plan.time
    # Three schedules of five epochs of 1,000 images at 50 a second, and 300 looked at at 100.
    seconds, base = 3 * (5 * 1_000 / 50 + 300 / 100), time_of([CKA]).plan.time
    assert more.low - base.low == pytest.approx(QUICKER * seconds)
    assert more.high - base.high == pytest.approx(SLOWER * seconds)


def test_what_is_left_follows_the_plan_and_then_what_a_seed_has_taken():
    now = [0.0]
    found = time_of([CKA], seeds=4, clock=lambda: now[0])
    planned = found.plan.time.seconds
    assert found.left([]) == pytest.approx(planned)
    now[0] = 10.0
    assert found.left([]) == pytest.approx(planned - 10)
    now[0] = 600.0  # the first of four seeds took ten minutes, whatever was planned
    assert found.left([("cka", 0)]) == pytest.approx(3 * 600)
