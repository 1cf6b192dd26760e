"""Presets: settings that go together, below what is given, recorded as ordinary settings."""

from __future__ import annotations

import asyncio

import pytest
from small import write_data, write_network

from engine.contracts.errors import SettingsError, UsageError
from engine.contracts.presets import PRESETS, SAMPLE, presets_like, values_of_preset
from engine.contracts.settings import Settings, value_of, with_values
from explorer.executors.in_process import InProcessExecutor
from explorer.session.open_run import Request, open_session, settings_of


def settings(**request) -> Settings:
    return settings_of(Request(request.pop("model", "sample"), **request))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_made_of_settings_and_is_recognised_by_them(name):
    found = settings(preset=name)
    for option, value in PRESETS[name].values.items():
        assert value_of(found, option) == value
    assert name in presets_like(found)
    assert PRESETS[name].meaning and PRESETS[name].why


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_given_counts_more_than_a_preset(name):
    found = settings(preset=name, overrides={"recovery_epochs": 7, "criterion": "l1"})
    assert found.training.recovery_epochs == 7 and found.scoring.criterion == "l1"
    assert name not in presets_like(found)


def test_a_preset_stands_in_place_of_the_samples_own_settings():
    assert settings() == with_values(settings(), SAMPLE)
    assert settings(preset="serious").data.train_limit is None
    assert settings(preset="serious").training.recovery_epochs == 10


def test_the_protocol_of_the_paper_is_the_preset_of_the_paper():
    assert settings(protocol="paper") == settings(preset="paper")
    assert settings(protocol="paper", preset="paper") == settings(preset="paper")
    with pytest.raises(UsageError, match="--protocol paper and --preset quick"):
        settings(protocol="paper", preset="quick")


def test_an_unknown_preset_is_told_with_those_that_there_are():
    with pytest.raises(SettingsError, match=r"--preset 'quik'.*quick, serious, paper"):
        settings(preset="quik")


def test_a_task_reads_its_data_itself():
    assert "train_limit" in values_of_preset("quick", "")
    assert "train_limit" not in values_of_preset("quick", "", is_task=True)


def test_a_run_records_a_presets_settings_and_the_same_command_resumes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    write_network(tmp_path)

    async def opened(**request):
        asked = Request("tiny.pt", overrides={"data": "bars.npz", "tune_epochs": 3}, **request)
        session = await open_session(asked, InProcessExecutor, lambda event: None)
        try:
            return session.run.name, session.settings
        finally:
            await session.close()

    name, found = asyncio.run(opened(preset="quick"))
    assert found.training.recovery_epochs == 1 and found.scoring.criterion == "kl-fast"
    assert found.training.tune_epochs == 3, "as given"
    assert asyncio.run(opened(preset="quick"))[0] == name
