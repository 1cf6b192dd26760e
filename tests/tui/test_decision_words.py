"""What is said of a decision: true for the figures beside it, and something to act on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cards import FILTER, LAYER, MARGIN, ROOT, card, job, measured, node

from explorer.session.policy import Margin
from explorer.views.decide_card import RunFacts
from explorer.views.decision_words import decision_words

MANY = RunFacts(num_validation=100_000)  # so many that any difference of accuracies counts


def said(a_card):
    return " ".join(sentence.text for sentence in decision_words(a_card))


def tones(a_card):
    return {sentence.text.split(":")[0]: sentence.tone for sentence in decision_words(a_card)}


def with_figures(layer=(), unit=(), **more):
    """A card whose candidates have these measures."""
    return card(candidates=(measured(LAYER, **dict(layer)), measured(FILTER, **dict(unit))), **more)


def test_a_clear_decision_says_which_one_by_how_much_and_that_all_agrees():
    clear = with_figures(
        layer={"val_accuracy": 90.0, "macs": 115_900_000}, unit={"val_accuracy": 93.0}, run=MANY
    )
    assert said(clear) == (
        "Keep the filter candidate: its CKA is .0168 higher and the 95 % interval excludes 0. "
        "Accuracy agrees (+3.00 points). Both save about as many MACs (7.6 and 7.6 points)."
    )
    assert set(tones(clear).values()) == {"lead", "plain"}


def test_the_words_are_those_of_the_measure_that_the_run_compares_by():
    by = replace(MANY, similarity="cka-debiased")
    told = said(with_figures(layer={"val_accuracy": 90.0}, unit={"val_accuracy": 93.0}, run=by))
    assert told.startswith("Keep the filter candidate: its debiased CKA is .0168 higher")
    close = Margin(0.001, -0.01, 0.01, True)
    told = said(card(margin=close, run=replace(MANY, similarity="procrustes")))
    assert "Too close to call" in told and "'s Procrustes is " in told
    assert "training seed" not in told  # whose noise was measured of CKA alone
    other = replace(MANY, similarity="wasserstein", policy="random")
    assert "By Wasserstein shape it is the filter candidate, .0168 higher." in said(card(run=other))


@pytest.mark.parametrize(
    ("layer", "bonus", "expected", "tone"),
    [
        (0.90, 0.0, "Debiased CKA agrees (+.0500).", "plain"),
        (0.98, 0.0, "The measures disagree: debiased CKA would keep the layer candidate, .0300 "
                    "higher.", "warning"),
        (0.95, 0.0, "The measures disagree: debiased CKA would keep the layer candidate, as a "
                    "tie goes to the layer.", "warning"),
    ],
)  # fmt: skip
def test_a_second_measure_agrees_or_warns(layer, bonus, expected, tone):
    by = replace(MANY, second="cka-debiased", layer_bonus=bonus)
    two = with_figures(layer={"similarity_second": layer}, unit={"similarity_second": 0.95}, run=by)
    (sentence,) = [each for each in decision_words(two) if "ebiased" in each.text]
    assert (sentence.text, sentence.tone) == (expected, tone)


def test_a_conflict_of_cka_and_accuracy_is_a_warning():
    conflict = with_figures(layer={"val_accuracy": 93.1}, unit={"val_accuracy": 92.1}, run=MANY)
    assert "Accuracy disagrees: the layer candidate's is 1.00 points higher." in said(conflict)
    assert tones(conflict)["Accuracy disagrees"] == "warning"


@pytest.mark.parametrize(("num_images", "tells"), [(500, False), (5_000, False), (50_000, True)])
def test_a_difference_of_accuracy_counts_only_where_so_many_images_can_tell(num_images, tells):
    """At 93 %, 5,000 images tell about a point apart; half a point needs more of them."""
    a_card = with_figures(
        layer={"val_accuracy": 93.5}, unit={"val_accuracy": 93.0},
        run=RunFacts(num_validation=num_images),
    )  # fmt: skip
    assert ("Accuracy disagrees" in said(a_card)) is tells
    leans = f"Accuracy leans the other way (−0.50 points; {num_images:,} validation images tell "
    assert (leans in said(a_card)) is not tells


@pytest.mark.parametrize(
    ("macs_of_filter", "expected", "tone"),
    [
        (100_000_000, "The filter candidate also saves 13.2 points more MACs.", "plain"),
        (117_700_000, "The filter candidate saves 0.9 points fewer MACs.", "plain"),
        (122_000_000, "The filter candidate saves 4.3 points fewer MACs, and a smaller cut keeps "
                      "more by itself.", "warning"),
    ],
)  # fmt: skip
def test_unequal_savings_are_told(macs_of_filter, expected, tone):
    sentences = decision_words(with_figures(unit={"macs": macs_of_filter}))
    (sentence,) = [each for each in sentences if "MACs" in each.text]
    assert (sentence.text, sentence.tone) == (expected, tone)


def test_too_close_names_the_interval_and_the_noise_of_the_seed():
    close = with_figures(
        layer={"similarity": 0.9729}, margin=Margin(-0.0004, -0.0033, 0.0025, True)
    )
    assert (
        "Too close to call: the filter candidate's CKA is .0004 higher, but the 95 % interval of "
        "the margin (−.0033 to +.0025) holds 0; another training seed alone moves CKA by about "
        ".005."
    ) in said(close)
    assert tones(close)["Too close to call"] == "warning"


def test_a_clear_but_small_margin_is_doubted_for_the_seed():
    small = with_figures(layer={"similarity": 0.9713}, margin=Margin(-0.002, -0.003, -0.001, False))
    assert "the 95 % interval excludes 0. That is less than another training seed" in said(small)
    assert "training seed" not in said(card())


def test_a_layer_bonus_that_turns_the_decision_is_named():
    turned = card(suggested="R.L", run=RunFacts(layer_bonus=0.02), reason="CKA .9565 + .02 ≥ .9733")
    assert (
        "Keep the layer candidate: the layer bonus of 0.02 outweighs that its CKA is .0168 lower "
        "and the 95 % interval excludes the turning point (-0.02)."
    ) in said(turned)


def test_a_tie_goes_to_the_layer():
    tie = with_figures(layer={"similarity": 0.9733}, suggested="R.L",
                       margin=Margin(0.0, None, None, None))  # fmt: skip
    assert said(tie).startswith(
        "Keep the layer candidate: both have the same CKA, and a tie goes to the layer."
    )


def test_another_policy_is_named_with_what_cka_would_say():
    by_coin = card(suggested="R.L", reason="heads", run=RunFacts(policy="random"))
    assert said(by_coin).startswith(
        "The policy random keeps the layer candidate. By CKA it is the filter candidate, .0168 "
        "higher."
    )


def test_what_is_waited_for_is_named_with_how_far_it_is():
    waiting = card(
        candidates=(LAYER, node("R.F", state="running"), node("R.F2", state="queued")),
        jobs={"R.F": job("R.F")}, suggested=None, margin=None, reason="", awaited=("R.F", "R.F2"),
    )  # fmt: skip
    assert said(waiting) == (
        "Waiting for R.F (recovery, epoch 3/10) and R.F2 (queued). R.L is measured: CKA .9565, "
        "val acc 92.80 %."
    )


def test_a_failed_candidate_is_said_beside_the_one_that_is_left():
    failed = card(
        candidates=(node("R.L", state="failed", error="out of memory"), FILTER),
        margin=None, reason="no layer candidate was grown",
    )  # fmt: skip
    assert said(failed) == (
        "Keep the filter candidate: no layer candidate was grown. R.L failed: out of memory; it "
        "can be tried again."
    )


def test_a_protected_block_is_named_with_what_protects_it():
    protected = card(protected=("layer2.0", "changes the shape"))
    assert "layer2.0 scores lowest of all blocks, but stays: changes the shape." in said(protected)


@pytest.mark.parametrize(
    ("decided_by", "kept", "suggested", "reason", "expected"),
    [
        ("user", ("R.F",), "R.F", "approved: CKA 0.9565 < 0.9733",
         "You kept the filter candidate: its CKA was .0168 higher."),
        ("user", ("R.L",), "R.F", "overrode R.F: CKA 0.9565 < 0.9733",
         "You kept the layer candidate, against the suggestion: its CKA was .0168 lower."),
        ("user", ("R.L",), "R.F", "it is faster",
         "You kept the layer candidate, against the suggestion: it is faster."),
        ("cka", ("R.F",), "R.F", "CKA 0.9565 < 0.9733",
         "The policy cka kept the filter candidate: its CKA was .0168 higher."),
        ("user", ("R.L", "R.F"), "R.F", "kept R.L and R.F", "You kept both."),
        ("user", (), "R.F", "kept none", "You kept none of them."),
    ],
)  # fmt: skip
def test_a_decision_says_who_kept_what_and_why(decided_by, kept, suggested, reason, expected):
    candidates = tuple(replace(c, kept=c.name in kept) for c in (LAYER, FILTER))
    decided = card(candidates=candidates, kept=kept, decided_by=decided_by, suggested=suggested,
                   reason=reason)  # fmt: skip
    assert decision_words(decided)[0].text == expected


def test_several_of_one_structure_go_by_their_names():
    several = card(candidates=(LAYER, FILTER, measured(replace(FILTER, name="R.F2"), macs=1e8)))
    assert said(several).startswith("Keep R.F: its CKA is .0168 higher")


def test_figures_that_are_no_numbers_are_not_spoken_of():
    nan = with_figures(layer={"similarity": float("nan"), "val_accuracy": float("nan")})
    assert "nan" not in said(nan)
    assert said(card(parent=replace(ROOT, metrics={}), margin=MARGIN)).count("MACs") == 0
