"""Settings: found by the names of their options, checked when made, read from any version."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import values_of

from engine.contracts.codec import FormatError, encode_object
from engine.contracts.errors import SettingsError
from engine.contracts.options import SettingField, check_name, did_you_mean
from engine.contracts.setting_sections import (
    DataSettings,
    ScoringSettings,
    SearchSettings,
    SimilaritySettings,
    TrainingSettings,
)
from engine.contracts.settings import (
    Settings,
    all_settings,
    read_settings,
    setting_named,
    value_of,
    with_values,
)

# As stores held them before settings had sections, the run's origin among them.
FLAT = {
    "data": "cifar10", "train_limit": None, "seed": 3, "criterion": "l1", "criterion_samples": 20,
    "match": "macs", "allocation": "global", "min_blocks": 1, "similarity": "cka",
    "similarity_split": "test", "layer_bonus": 0.25, "num_resamples": 50, "recovery_epochs": 1,
    "tune_epochs": 2, "learning_rate": 0.02, "batch_size": 64, "weight_decay": 0.0,
    "policy": "random", "iterations": 7, "max_drop": 1.5, "target_macs": None,
    "checkpoint": {"name": "net.pt", "sha256": "0" * 64}, "notes": ["a note"],
}  # fmt: skip
IN_SECTIONS = Settings(
    seed=3,
    data=DataSettings("cifar10"),
    scoring=ScoringSettings("l1", 20, "macs", "global", 1),
    similarity=SimilaritySettings(split="test", num_resamples=50),
    training=TrainingSettings(1, 2, 0.02, 64, 0.0),
    search=SearchSettings("random", 0.25, 7, max_drop=1.5),
)
DEFAULTS = {
    "seed": 0,
    "data": {"source": "sample", "train_limit": None, "image_size": None, "resize": None,
             "loader": "auto", "transforms": None, "validation_from": "data"},
    "scoring": {"criterion": "kl", "criterion_samples": 500, "match": "filters",
                "allocation": "uniform", "min_blocks": 2, "layers": "blocks", "units": "inner",
                "rank_by": "mean", "keep_fraction": 0.0, "round_to": 1, "keep": None,
                "blocks_per_step": 1},
    "similarity": {"measure": "cka", "split": "validation", "num_resamples": 200,
                   "representation": "penultimate", "second": "none"},
    "training": {"recovery_epochs": 10, "tune_epochs": 30, "learning_rate": 0.01,
                 "batch_size": 128, "weight_decay": 5e-4, "optimiser": "sgd", "schedule": "step",
                 "warmup_epochs": 0.0, "label_smoothing": 0.0, "mixup": 0.0, "accumulate": 1,
                 "norms": "train", "repair": "none", "recover": "full", "distill": "none",
                 "train_subset": None, "recovery_steps": None, "clip_norm": 0.0, "hopeless": None},
    "search": {"policy": "cka", "layer_bonus": 0.0, "iterations": 5, "max_drop": None,
               "target_macs": None, "target_params": None, "strategy": "greedy",
               "beam_width": 2, "max_epochs": None, "confirm": 0},
}  # fmt: skip


# ------------------------------------------------------------ documents


def test_flat_documents_of_older_stores_and_those_in_sections_read_alike():
    assert read_settings(FLAT) == IN_SECTIONS
    written = json.loads(json.dumps(encode_object(IN_SECTIONS)))
    assert read_settings(written) == IN_SECTIONS
    assert read_settings({**written, "origin": {"notes": []}}) == IN_SECTIONS


@given(values_of(Settings))
def test_settings_survive_json_in_sections_and_flat(settings):
    assert read_settings(json.loads(json.dumps(encode_object(settings)))) == settings
    flat = {each.option.name: value_of(settings, each.option.name) for each in all_settings()}
    assert read_settings(json.loads(json.dumps(flat))) == settings


@pytest.mark.parametrize("document", [
    {}, {"from_the_future": 1}, {"scoring": {}}, {"training": {"from_the_future": 1}}, {"data": {}},
])  # fmt: skip
def test_what_a_document_lacks_takes_its_default_and_what_nobody_knows_is_passed_over(document):
    assert read_settings(document) == Settings()


def test_the_defaults_are_what_older_documents_and_the_keys_of_jobs_left_out():
    """Whoever changes one changes what runs without it mean, and what finished jobs are kept as."""
    assert json.loads(json.dumps(encode_object(Settings()))) == DEFAULTS


@pytest.mark.parametrize(("document", "words"), [
    ({"seed": "3"}, r"settings\.seed is '3', not a whole number"),
    ({"train_limit": 2.5}, r"settings\.data\.train_limit is 2\.5, not a whole number"),
    ({"training": {"learning_rate": True}}, r"settings\.training\.learning_rate is True, not a n"),
    ({"scoring": {"criterion": 3}}, r"settings\.scoring\.criterion is 3, not text"),
    ({"scoring": {}, "search": 3}, r"settings\.search is 3, not an object"),
])  # fmt: skip
def test_a_value_of_the_wrong_type_is_named_with_its_place(document, words):
    with pytest.raises(FormatError, match=words):
        read_settings(document)


def test_a_document_with_a_setting_out_of_range_is_refused():
    with pytest.raises(SettingsError, match="--batch-size is 1; it must be between 2 and"):
        read_settings({**FLAT, "batch_size": 1})


# ------------------------------------------------------------ by the names of their options


def test_every_setting_has_a_name_a_letter_at_most_and_a_help_text_of_its_own():
    options = [each.option for each in all_settings()]
    for names in ([o.name for o in options], [o.short for o in options if o.short]):
        assert max(Counter(names).values()) == 1
    assert all(option.help for option in options)
    assert {o.flag for o in options} >= {"--data", "--criterion-samples", "--similarity-split"}
    stopping = {
        "iterations",
        "max_drop",
        "target_macs",
        "target_params",
        "search",
        "beam_width",
        "max_epochs",
    }
    assert {o.name for o in options if o.stops} == stopping


def test_every_field_of_the_settings_is_a_setting_or_a_section_of_them():
    fields = [each for each in dataclasses.fields(Settings) if "option" not in each.metadata]
    own = 1  # the seed
    assert len(all_settings()) == own + sum(
        len(dataclasses.fields(getattr(Settings(), each.name))) for each in fields
    )


@pytest.mark.parametrize("each", all_settings(), ids=lambda each: each.option.name)
def test_every_setting_is_found_by_its_option_alone(each: SettingField):
    name = each.option.name
    assert setting_named(name) == each and value_of(Settings(), name) == each.default
    other = {int: 3, float: 0.5, str: "x"}[each.type]
    if each.option.choices:
        other = each.option.choices[-1]
    assert value_of(with_values(Settings(), {name: other}), name) == other
    assert with_values(Settings(), {name: None}) == Settings()


def test_values_go_where_their_options_belong_and_none_changes_nothing():
    settings = with_values(Settings(), {
        "seed": 4, "criterion": "l1", "max_drop": None, "similarity_split": "test",
        "batch_size": 64, "data": "mnist",
    })  # fmt: skip
    assert settings == Settings(
        seed=4,
        data=DataSettings("mnist"),
        scoring=ScoringSettings("l1"),
        similarity=SimilaritySettings(split="test"),
        training=TrainingSettings(batch_size=64),
    )


def test_an_option_that_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(SettingsError, match=r"did you mean 'criterion'\?"):
        with_values(Settings(), {"kriterion": "l1"})
    with pytest.raises(SettingsError, match="--split"):
        value_of(Settings(), "split")  # the attribute, not the option


# ------------------------------------------------------------ what may be set


@pytest.mark.parametrize(("changes", "message"), [
    ({"criterion": "kll"}, "--criterion 'kll': did you mean 'kl'"),
    ({"policy": "layer"}, "did you mean 'layers'"),
    ({"similarity": "ckaa"}, "--similarity 'ckaa': did you mean 'cka'"),
    ({"similarity_split": "train"}, "--similarity-split 'train': .*validation, test"),
    ({"iterations": 0}, "--iterations is 0; it must be between 1 and 1,000,000"),
    ({"target_macs": 120.0}, "--target-macs is 120"),
    ({"layer_bonus": float("nan")}, "--layer-bonus is nan"),
    ({"learning_rate": float("inf")}, "--learning-rate is inf"),
    ({"max_drop": -1.0}, "--max-drop is -1"),
    ({"seed": -1}, "--seed is -1"),
])  # fmt: skip
def test_settings_outside_their_range_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        with_values(Settings(), changes)


RANGED = [each for each in all_settings() if each.option.low is not None]


@pytest.mark.parametrize("each", RANGED, ids=lambda each: each.option.name)
def test_a_range_holds_its_ends_and_nothing_beyond(each: SettingField):
    name, low, high = each.option.name, each.option.low, each.option.high
    assert low is not None and high is not None
    for edge in (low, high):
        assert value_of(with_values(Settings(), {name: each.type(edge)}), name) == edge
    step = 1 if each.type is int else 1e-10
    for beyond in (each.type(low) - step, each.type(high) + max(step, 1e-10 * high)):
        with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')} is"):
            with_values(Settings(), {name: each.type(beyond)})


def test_a_setting_that_is_no_choice_has_a_range_but_for_names():
    free = [e.option.name for e in all_settings() if not e.option.choices and e.option.low is None]
    assert free == ["data", "transforms", "keep"]


def test_recovery_and_tuning_share_the_longer_of_the_two():
    assert TrainingSettings(10, 30).total_epochs == 30
    assert TrainingSettings(10, 0).total_epochs == 10


# ------------------------------------------------------------ options


@given(st.text(max_size=8))
def test_a_name_is_one_of_the_known_or_refused_with_all_of_them(value):
    known = ("kl", "kl-fast", "l1")
    if value in known:
        check_name("criterion", value, known)
    else:
        with pytest.raises(SettingsError, match="It is one of kl, kl-fast, l1"):
            check_name("criterion", value, known)


def test_the_nearest_name_is_told_where_one_is_near():
    assert did_you_mean("uniforn", ("uniform", "global")) == "did you mean 'uniform'? "
    assert did_you_mean("zzz", ("uniform", "global")) == ""
