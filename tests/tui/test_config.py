"""The key table, the configuration, what is remembered, and which look a terminal gets."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.keys import _character_to_key

from explorer.tui import recents
from explorer.tui.config import Config, load_config
from explorer.tui.keys import (
    KEYS,
    as_markdown,
    clashes,
    key_name,
    rebound,
    shown,
)
from explorer.tui.themes import THEMES, pick_theme
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.node_view import NodeView

DOCS = Path(__file__).parents[2] / "docs" / "keys.md"


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Writes a configuration and loads it as the app does."""

    def load(text: str | bytes) -> Config:
        path = tmp_path / "config.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("PE_EXPLORE_CONFIG", str(path))
        return load_config()

    return load


# ------------------------------------------------------------ keys


@pytest.mark.parametrize(("widget", "group"), [(TreeCanvas, "Tree"), (NodeTable, "Table")])
def test_the_table_holds_the_keys_that_the_widgets_really_have(widget, group):
    real = {b.id: b.key for b in widget.BINDINGS if isinstance(b, Binding)}
    assert real == {key.id: key.keys for key in KEYS if key.group == group}


def test_no_key_means_two_things_at_once_and_no_id_comes_twice():
    assert clashes(KEYS) == []
    assert len({key.id for key in KEYS}) == len(KEYS)
    assert [c[0] for c in clashes(rebound({"decide.approve": "question_mark"}))] == [
        "question_mark"
    ]
    assert [c[0] for c in clashes(rebound({"decide.approve": "z"}))] == ["z"], "the tree's"


def test_keys_are_named_as_textual_names_them_and_shown_as_a_person_reads_them():
    for character in map(chr, range(33, 127)):
        assert key_name(character) == _character_to_key(character)
        assert shown(key_name(character)) == character
    assert shown("up,k") == "↑ k" and shown("ctrl+p") == "ctrl+p" and shown("plus") == "+"


def test_the_page_about_keys_is_the_key_table():
    assert DOCS.read_text().endswith(as_markdown().rstrip() + "\n")


# ------------------------------------------------------------ configuration


def test_the_example_on_the_page_is_a_configuration_without_problems(configured):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    config = configured(example)
    assert config.problems == ()
    assert config.theme == "dark" and config.zoom is None and config.follow and not config.bell
    assert config.keymap == {"decide.approve": "a,f2", "work.pause": "ctrl+w"}
    assert config.overrides == {"iterations": 5, "recovery_epochs": 10}
    keys = {key.id: key.keys for key in config.key_table}
    assert keys["work.pause"] == "ctrl+w" and keys["decide.override"] == "o"


def test_without_a_file_the_defaults_count(monkeypatch, tmp_path):
    monkeypatch.setenv("PE_EXPLORE_CONFIG", str(tmp_path / "none.toml"))
    assert load_config() == Config()


def test_two_actions_may_swap_their_keys(configured):
    config = configured('[keys]\n"decide.approve" = "o"\ndecide.override = "a"\n')
    assert config.problems == ()
    assert config.keymap == {"decide.approve": "o", "decide.override": "a"}


def test_the_program_that_is_told_is_taken_apart_as_a_shell_would(configured):
    config = configured('[ui]\nnotify = "osc777"\nnotify-command = "tell \'the phone\' --now"\n')
    assert config.problems == ()
    assert (config.notify, config.notify_command) == ("osc777", ("tell", "the phone", "--now"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[ui]\ntheme = "drak"', ["[ui] theme", "'drak'", "did you mean 'dark'"]),
        ("[ui]\nbell = 1", ["[ui] bell", "1", "true or false"]),
        ('[ui]\nnotify = "osc8"', ["[ui] notify", "did you mean 'osc9'"]),
        ("[ui]\nnotify-command = 3", ["[ui] notify-command", "text"]),
        ('[ui]\nnotify-command = "it\'s"', ["[ui] notify-command", "quotation"]),
        ("[ui]\nzoom = 2", ["[ui] zoom", "chips"]),
        ("[ui]\nthem = 2", ["[ui] them", "did you mean 'theme'"]),
        ("[kesy]\na = 1", ["[kesy]", "did you mean 'keys'"]),
        ("ui = 3", ["ui = 3", "[ui]"]),
        ('[keys]\n"decide.aprove" = "q"', ["decide.aprove", "did you mean 'decide.approve'"]),
        ('[keys]\n"decide.approve" = "q"', ["decide.approve", "'q'", "app.quit", "another key"]),
        ('[keys]\n"decide.approve" = "entre"', ["no key 'entre'", "did you mean 'enter'"]),
        ('[keys]\n"decide.approve" = "ctlr+a"', ["'ctlr'", "did you mean 'ctrl'"]),
        ('[keys]\n"decide.approve" = "shift+a"', ["'shift+a'", "'A'"]),
        ('[keys]\n"decide.approve" = "tab"', ["'tab'", "own"]),
        ('[keys]\n"decide.approve" = ""', ["decide.approve", "text"]),
        ('[keys]\n"decide.approve" = 7', ["decide.approve", "7"]),
        ('[keys]\n"decide.approve" = ["a"]', ["decide.approve", "text"]),
        ("[defaults]\niteration = 3", ["iteration ", "did you mean 'iterations'"]),
        ("[defaults]\niterations = 0", ["iterations = 0", "between 1 and"]),
        ("[defaults]\niterations = 1.5", ["iterations = 1.5", "whole number"]),
        ("[defaults]\niterations = true", ["iterations = True", "whole number"]),
        ('[defaults]\ncriterion = "l3"', ["'l3'", "kl"]),
        ("[defaults]\nmax-drop = nan", ["max-drop", "nan"]),
        (f"[defaults]\nseed = 0x{'f' * 5000}", ["seed", "too large"]),
        ("[defaults]\ndevice = 1", ["device = 1"]),
        ("[ui]\ntheme = = 1", ["not TOML", "line 2"]),
        (b"\xff\xfe\x00", ["not TOML"]),
        ("a" + ".a" * 3000 + " = 1", ["[a] is unknown"]),
        ("[keys]\na" + ".a" * 3000 + " = 1", ["[keys] a.a.a is unknown"]),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_remedy_and_left_out(configured, text, words):
    config = configured(text)
    (problem,) = config.problems
    assert problem.split(":")[0].endswith("config.toml")
    assert [word for word in words if word not in problem] == []
    assert config == Config(problems=(problem,))


def test_what_is_right_counts_beside_what_is_wrong(configured):
    config = configured('[ui]\nzoom = "cards"\ntheme = 1\n[defaults]\nlayer-bonus = 1\nseed = "x"')
    assert config.zoom == 2 and config.overrides == {"layer_bonus": 1.0}
    assert len(config.problems) == 2


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    config = load_config(tmp_path)
    assert "is a folder" in config.problems[0] and config.keymap == {}


def test_every_key_of_the_table_can_be_written_in_a_configuration(configured):
    lines = [f'"{key.id}" = {json.dumps(key.keys)}' for key in KEYS]
    assert tomllib.loads("\n".join(lines))
    assert configured("[keys]\n" + "\n".join(lines)).problems == ()


# ------------------------------------------------------------ what is remembered


@pytest.fixture
def state(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "state.json"
    monkeypatch.setenv("PE_EXPLORE_STATE", str(path))
    return path


STAR = {"val_accuracy": 90.5, "macs_reduction": 12.0}


def stores(tmp_path, count):
    made = [tmp_path / f"{i}.db" for i in range(count)]
    for each in made:
        each.write_bytes(b"x")
    return made


@pytest.mark.parametrize("best", [None, 3, {"name": 3}, {"val_accuracy": 90.5}])
def test_a_best_node_that_cannot_be_read_leaves_the_store_among_the_recent_ones(
    state, tmp_path, best
):
    (path,) = stores(tmp_path, 1)
    entry = {"path": str(path), "run": "r", "opened_at": 1.5, "num_nodes": 2, "best": best}
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(json.dumps({"recents": [entry, {**entry, "opened_at": "noon"}]}))
    (found,) = recents.recents()
    assert found.best is None and (found.run, found.num_nodes) == ("r", 2)


def test_stores_are_remembered_newest_first_without_those_that_are_gone(state, tmp_path):
    made = stores(tmp_path, 23)
    for number, path in enumerate(made):
        star = NodeView("R.L", "R", "layer", "ready", metrics=STAR)
        assert recents.remember(path, "run-1", number, star) is None
    assert recents.remember(made[5], "run-2", 99) is None
    made[22].unlink()
    found = recents.recents()
    assert [Path(r.path).name for r in found[:3]] == ["5.db", "21.db", "20.db"]
    assert len(found) == 19 and len({r.path for r in found}) == 19
    assert found[0].run == "run-2" and found[0].num_nodes == 99 and found[0].best is None
    assert found[1].best == recents.Star("R.L", **STAR)


def test_sizes_are_remembered_beside_the_stores(state, tmp_path):
    (path,) = stores(tmp_path, 1)
    recents.remember(path, "run", 1)
    assert recents.set_sizes({"right": 40}) is None
    assert recents.set_sizes({"other": 70}) is None
    assert recents.sizes() == {"right": 40, "other": 70}
    assert len(recents.recents()) == 1
    assert [p.name for p in state.parent.iterdir()] == ["state.json"], "nothing is left over"


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b"[1]", b"\xff\x00", b"[" * 100_000,
        b'{"recents": 3, "sizes": [1]}',
        b'{"recents": [{"path": 1}, {"path": "a", "run": "b", "opened_at": NaN, "num_nodes": 1},'
        b' {"path": "a\\u0000", "run": "b", "opened_at": 1, "num_nodes": 1}, null], '
        b'"sizes": {"right": "x", "left": 1e99}}',
    ],
)  # fmt: skip
def test_a_damaged_state_is_no_state_and_is_replaced(state, tmp_path, damage):
    state.parent.mkdir()
    state.write_bytes(damage)
    assert recents.recents() == [] and recents.sizes() == {}
    (path,) = stores(tmp_path, 1)
    recents.remember(path, "run", 1)
    assert [r.run for r in recents.recents()] == ["run"]
    assert recents.remember(path, "run", 2) is None, "warned of once only"


def test_a_state_that_cannot_be_written_is_a_warning(state, tmp_path):
    state.parent.write_bytes(b"a file in place of the folder")
    warning = recents.remember(tmp_path / "x.db", "run", 1)
    assert warning and str(state) in warning
    assert recents.set_sizes({"right": 40}) and recents.recents() == []


# ------------------------------------------------------------ looks


@pytest.mark.parametrize(
    ("theme", "environ", "wanted"),
    [
        (None, {}, "pe-dark"),
        (None, {"TERM": "xterm-256color"}, "pe-dark"),
        (None, {"TERM": "linux"}, "pe-ansi"),
        ("light", {"TERM": "linux"}, "pe-light"),
        ("light", {"NO_COLOR": "1"}, "pe-none"),
        ("light", {"NO_COLOR": ""}, "pe-light"),
        ("none", {}, "pe-none"),
    ],
)
def test_the_look_is_the_configured_one_unless_no_color_or_the_terminal_says_otherwise(
    theme, environ, wanted
):
    assert pick_theme(Config(theme=theme), environ) == wanted
    assert wanted in {each.name for each in THEMES}


def test_the_folders_are_the_users_own_where_no_variable_names_others(monkeypatch):
    from explorer.tui.config import config_path

    monkeypatch.delenv("PE_EXPLORE_STATE", raising=False)
    monkeypatch.delenv("PE_EXPLORE_CONFIG", raising=False)
    assert config_path().parts[-2:] == ("pe-explore", "config.toml")
    assert recents.state_path().name == "state.json"
    assert os.path.isabs(recents.state_path())
