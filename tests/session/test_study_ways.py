"""What a study compares: presets, files, and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.contracts.settings import Settings, setting_named, with_values
from explorer.session.open_run import Request
from explorer.session.study.runs import check_request, controls_of
from explorer.session.study.ways import (
    NAMES,
    OF_A_SETTING,
    StudyError,
    Way,
    check_study,
    read_study,
    study_named,
)

GOOD = """
about = "who decides"
[settings]
iterations = 2
learning-rate = 1
[[way]]
name = "cka"
[[way]]
name = "coin"
policy = "random"
--layer-bonus = 0.5
"""


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_a_study_that_can_be_done(name):
    study = study_named(name)
    if len(study.ways) > 1 or name not in OF_A_SETTING:
        check_study(study)
    assert len({way.name for way in study.ways}) == len(study.ways) >= 1


def test_a_setting_s_study_has_all_its_choices_that_need_no_argument():
    for name, setting in OF_A_SETTING.items():
        plain = [c for c in setting_named(setting).option.choices if ":" not in c]
        assert [way.settings[setting] for way in study_named(name).ways] == plain


def test_table3_gives_every_schedule_a_way_that_differs_in_nothing_else():
    ways = {way.name: way.settings for way in study_named("table3").ways}
    assert ways["cka"] == {} and ways["cka+cosine"] == {"schedule": "cosine"}
    assert ways["l1+cosine"] == {"criterion": "l1", "schedule": "cosine"}


def test_a_file_is_read_with_dashes_and_whole_numbers(tmp_path):
    study = read_study(write(tmp_path, GOOD.replace("--layer-bonus", '"--layer-bonus"')))
    assert (study.name, study.about) == ("mine", "who decides")
    assert study.settings == {"iterations": 2, "learning_rate": 1.0}
    assert study.ways[1] == Way("coin", {"policy": "random", "layer_bonus": 0.5})


def test_the_file_on_the_page_is_a_study(tmp_path):
    page = (Path(__file__).parents[2] / "docs/studies.md").read_text()
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    study = read_study(write(tmp_path, block))
    assert [way.name for way in study.ways] == ["kl-fast, step", "l1, cosine"]
    assert all(f"`{name}`" in page for name in NAMES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[way]]\nname = 'a'\ncriterio = 'l1'", "no setting 'criterio'; did you mean 'criterion'"),
        (
            "[[way]]\nname = 'a'\npolicy = 'randm'",
            "way 'a': --policy 'randm': did you mean 'random'",
        ),
        ("[[way]]\nname = 'a'\nrecovery_epochs = 'two'", "'two'; it must be a whole number"),
        ("[[way]]\nname = 'a'\nlearning_rate = true", "True; it must be a number"),
        ("[[way]]\nname = 'a'\nlearning_rate = 1e9", "way 'a': --learning-rate"),
        ("[settings]\nbatch_size = 0\n[[way]]\nname = 'a'", "[settings]: --batch-size"),
        ("[[way]]\ncriterion = 'l1'", "way 1 needs a name"),
        ("[[way]]\nname = ''", "way 1 needs a name"),
        ("[[way]]\nname = 'a'\n[[way]]\nname = 'a'\npolicy = 'layers'", "two ways are called 'a'"),
        ("[[way]]\nname = 'a'\n[[way]]\nname = 'b'", "'a' and 'b' are the same"),
        ("[[way]]\nname = 'a'\nseed = 3", "--seeds"),
        ("[settings]\nseed = 3\n[[way]]\nname = 'a'", "--seeds"),
        ("[[way]]\nname = 'a'\ntrain_limit = 30", "same data"),
        ("[[way]]\nname = 'a'\niterations = 3", "same number of steps"),
        ("[[wy]]\nname = 'a'", "'wy' says nothing; did you mean 'way'"),
        ("way = 3", "table of its own"),
        ("settings = 3\n[[way]]\nname = 'a'", "[settings]"),
        ("", "has 0 ways"),
        ("[[way", "is no TOML file"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(tmp_path, text, said):
    with pytest.raises(Exception) as raised:
        read_study(write(tmp_path, text))
    assert said in str(raised.value) and raised.value.exit_code == 2


def test_a_name_that_is_none_gets_the_nearest_one(tmp_path):
    with pytest.raises(StudyError, match="did you mean 'criteria'"):
        study_named("critera")
    with pytest.raises(StudyError, match="cannot be read"):
        study_named(str(tmp_path / "gone.toml"))


def test_a_seed_is_no_option_of_a_study_and_options_are_checked_with_the_ways():
    with pytest.raises(StudyError, match="--seeds"):
        check_request(Request("sample", overrides={"seed": 3}), study_named("table3"))
    check_request(Request("sample", overrides={"policy": "layers"}), study_named("criteria"))
    with pytest.raises(StudyError, match="'cka' and 'layers' are the same"):
        check_request(Request("sample", overrides={"policy": "layers"}), study_named("table3"))


def test_the_root_is_trained_once_in_each_way_of_training_and_as_a_whole_network():
    ways = study_named("table3").ways
    controls = controls_of(ways, [with_values(Settings(), way.settings) for way in ways])
    assert [control.name for control in controls] == [
        "root, trained on", "root, trained on (schedule cosine)"
    ]  # fmt: skip
    # How a cut network recovers is no other training of the root.
    base = Settings()
    other = replace(base, training=replace(base.training, recovery_epochs=5, recovery_steps=7))
    assert len(controls_of([Way("a"), Way("b")], [base, other])) == 1
