"""Options that are made from the fields of the settings: every command has every one of them."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from engine.contracts.settings import Settings, all_settings, value_of, with_values
from explorer.cli.main import app
from explorer.tui.config import load_config

COMMANDS = typer.main.get_command(app).commands
FIELDS = {each.option.name: each for each in all_settings()}
RANGES = [name for name, each in FIELDS.items() if each.option.high is not None]


@pytest.mark.parametrize("command", ["auto", "open"])
def test_whoever_begins_a_run_can_set_everything(command):
    options = {param.name: param for param in COMMANDS[command].params}
    for name, each in FIELDS.items():
        assert each.option.flag in options[name].opts
        assert options[name].default is None, "what was not given is left to the presets"


def test_a_fork_can_have_other_settings_but_for_its_data():
    options = {param.name: param for param in COMMANDS["branch"].params}
    assert {name for name in FIELDS if name not in options} == {
        "train_limit",
        "image_size",
        "resize",
        "loader",
        "transforms",
        "validation_from",
    }
    # It says where the same images lie, not which others.
    assert options["data"].help == "Where the run's images lie now, if they moved"


@pytest.mark.parametrize("name", RANGES)
def test_a_value_outside_its_range_is_refused_before_any_work(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    each = FIELDS[name]
    wrong = str(each.type(each.option.high * 10 + 1))
    ended = CliRunner().invoke(app, ["auto", "sample", each.option.flag, wrong])
    assert ended.exit_code == 2
    assert each.option.flag in ended.output and "must be between" in ended.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name, each in FIELDS.items() if each.option.choices])
def test_a_word_that_is_none_of_the_choices_is_refused_with_the_nearest(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    each = FIELDS[name]
    near = each.option.choices[-1] + "x"
    ended = CliRunner().invoke(app, ["auto", "sample", each.option.flag, near])
    assert ended.exit_code == 2 and f"did you mean {each.option.choices[-1]!r}?" in ended.output
    assert all(choice in ended.output for choice in each.option.choices)


def test_the_persons_file_of_defaults_takes_every_setting(tmp_path, monkeypatch):
    given = {name: _another(each) for name, each in FIELDS.items()}
    lines = [f"{name.replace('_', '-')} = {_toml(value)}" for name, value in given.items()]
    path = tmp_path / "config.toml"
    path.write_text("[defaults]\n" + "\n".join(lines))
    monkeypatch.setenv("PE_EXPLORE_CONFIG", str(path))
    config = load_config()
    assert config.problems == ()
    settings = with_values(Settings(), config.overrides)
    assert {name: value_of(settings, name) for name in FIELDS} == given


def _another(each):
    """A value that is not the default."""
    if each.option.choices:
        return each.option.choices[-1]
    if each.type is str:
        return "elsewhere"
    return each.type(min(each.option.high, (each.default or 1) + 1))


def _toml(value) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
