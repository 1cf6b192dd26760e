"""What a run takes, from how quickly its parts went: exact arithmetic on made-up speeds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.contracts.networks import DataDescription
from engine.contracts.settings import Settings, with_values
from engine.contracts.speed import CandidateCost, SpeedMeasured
from explorer.session.speed import Speed, by_which_speed_differs
from explorer.views.plan import QUICKER, SLOWER, predict
from explorer.views.plan_text import about, rate_of

DATA = DataDescription(num_train=1_000, num_validation=100, num_test=200, classes=("a", "b"))
ALONE = SpeedMeasured(
    training_items_per_second=50,
    evaluating_items_per_second=100,
    prepare_seconds=1,
    ranking_seconds=2,
    ranking_seconds_per_item=0.5,
    compare_seconds_per_row=0.01,
    resample_seconds_per_row=0.001,
    latency_seconds=0.3,
    edit_seconds=0.2,
    candidates=(CandidateCost("layer", 900, 10), CandidateCost("filter", 700, 10)),
)
BESIDE = SpeedMeasured(25, 50, 1)
TWO = Speed(ALONE, BESIDE, at_once=2)
ONE = Speed(ALONE, ALONE, at_once=1)
BASE = {
    "criterion_samples": 4, "recovery_epochs": 2, "tune_epochs": 5, "num_resamples": 10,
    "iterations": 1,
}  # fmt: skip


def predicted(speed: Speed = TWO, decided: int = 0, start: float = 0.0, **changes):
    settings = with_values(Settings(), {**BASE, **changes})
    return predict(settings, DATA, 1_000, speed, decided=decided, start_seconds=start)


def seconds(prediction) -> dict[str, float]:
    return {part.phase: part.seconds for part in prediction.phases}


def test_each_part_is_its_images_over_their_speed():
    found = predict(
        with_values(Settings(), BASE), DATA, 1_000,
        replace(TWO, alone=replace(ALONE, candidates=(CandidateCost("layer", 1_000, 1),) * 1)),
    )  # fmt: skip
    assert found.candidates == 1 and found.at_once == 1, "one candidate has the machine alone"
    assert seconds(found) == pytest.approx({
        "rank": 2 + 4 * 2 * 0.5,
        "recover": 2 * 1_000 / 50,
        # The parent's features, before and after recovery; CKA with its resamples; the rest.
        "compare": 100 / 100 + 2 * 100 / 100 + 100 * (0.01 + 10 * 0.001) + 0.3 + 0.2,
        "tune": 3 * 1_000 / 50,
        "measure": 300 / 100,
    })  # fmt: skip


def test_two_at_once_go_each_at_its_own_speed_one_after_the_other_twice():
    both, in_turns = predicted(TWO), predicted(ONE)
    left = 0.8  # of the network: the mean of both candidates
    assert both.step == pytest.approx(0.2)
    assert seconds(both)["recover"] == pytest.approx(left * 2 * 1_000 / 25)
    assert seconds(in_turns)["recover"] == pytest.approx(2 * left * 2 * 1_000 / 50)
    assert (both.at_once, in_turns.at_once) == (2, 1)


def test_the_interval_is_between_smaller_networks_as_quick_and_as_they_are():
    found = predicted()
    smaller = sum(seconds(found).values())
    assert found.decision.low == pytest.approx(QUICKER * smaller)
    assert found.decision.low < found.decision.seconds < found.decision.high
    as_large = found.decision.high / SLOWER
    assert found.decision.seconds == pytest.approx((smaller + as_large) / 2)
    assert seconds(found)["rank"] == 2 + 4, "the parent is ranked as it is"


@hypothesis_settings(max_examples=30)
@given(
    st.integers(0, 50), st.integers(0, 50), st.integers(1, 30),
    st.sampled_from([TWO, ONE]), st.integers(1, 400),
)  # fmt: skip
def test_more_of_anything_never_takes_less(recovery, tune, iterations, speed, samples):
    def tree(**changes) -> float:
        how = {"recovery_epochs": recovery, "tune_epochs": tune, "iterations": iterations,
               "criterion_samples": samples}  # fmt: skip
        return predicted(speed, **{**how, **changes}).tree.seconds

    now = tree()
    assert tree(recovery_epochs=recovery + 1) >= now
    assert tree(tune_epochs=tune + 1) >= now
    assert tree(iterations=iterations + 1) > now
    assert tree(criterion_samples=samples + 1) >= now
    assert tree(num_resamples=500) >= now
    assert tree(similarity_split="test") >= now


def test_a_tree_ends_after_so_many_decisions_or_once_enough_is_gone():
    assert predicted(iterations=7).decisions == 7
    found = predicted(iterations=7, target_macs=50.0)
    assert found.decisions == 3, "three steps of a fifth"
    assert "50 %" in found.until and "--target-macs" in found.until
    assert predicted(iterations=2, target_macs=50.0).decisions == 2
    assert "--max-drop" in predicted(max_drop=1.0).until


def test_what_is_decided_already_takes_no_more():
    whole, rest = predicted(iterations=4, start=5), predicted(iterations=4, decided=3, start=5)
    assert (whole.decisions, rest.decisions) == (4, 1)
    assert rest.tree.seconds < whole.tree.seconds
    assert rest.tree_phases[0].seconds == 5, "the start comes again"
    assert predicted(iterations=4, decided=9).decisions == 0


def test_a_policy_that_grows_one_candidate_takes_less_unless_a_person_sees_both():
    settings = with_values(Settings(), {**BASE, "policy": "filters"})
    alone = predict(settings, DATA, 1_000, ONE)
    seen = predict(settings, DATA, 1_000, ONE, grows_all=True)
    assert (alone.candidates, seen.candidates) == (1, 2)
    assert alone.step == seen.step == pytest.approx(0.3), "filters go at each step"
    assert seen.tree.seconds > alone.tree.seconds


def test_without_anything_to_remove_nothing_is_decided():
    nothing = replace(ALONE, candidates=())
    found = predicted(Speed(nothing, nothing))
    assert found.decisions == 0 and found.tree.seconds == 0
    assert found.until == "nothing is left that may be removed"


def test_epochs_and_counts_change_no_speed_but_criterion_and_optimiser_do():
    def differs(**changes) -> bool:
        other = with_values(Settings(), changes)
        return by_which_speed_differs(other) != by_which_speed_differs(Settings())

    assert not differs(recovery_epochs=3, tune_epochs=99, learning_rate=0.5, seed=7, iterations=3)
    assert not differs(criterion_samples=3, num_resamples=1_000, similarity_split="test")
    for change in ({"criterion": "l1"}, {"optimiser": "adamw"}, {"batch_size": 64},
                   {"mixup": 0.2}, {"units": "all"}, {"match": "macs"}):  # fmt: skip
        assert differs(**change), change


@pytest.mark.parametrize(("given_seconds", "words"), [
    (0.2, "< 1 s"), (8, "8 s"), (83.4, "83 s"), (91, "1.5 min"), (750, "12 min"),
    (3_600 * 2.25, "2.2 h"), (86_400 * 40, "40 d"), (float("inf"), "–"),
])  # fmt: skip
def test_times_are_told_no_more_exactly_than_they_are_known(given_seconds, words):
    assert about(given_seconds) == words


@pytest.mark.parametrize(
    ("a_second", "words"), [(0.0284, "0.0284"), (2.8371, "2.84"), (187.3, "187"), (18_673, "18,700")]
)
def test_rates_are_figures_that_one_reads(a_second, words):
    assert rate_of(a_second) == words
