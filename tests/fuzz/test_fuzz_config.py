"""Configurations and states of every kind are read; what is wrong is told, never raised."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from budget import rounds
from command_lines import NUMBERS, WORDS, harmful

from engine.contracts.settings import Settings, all_settings, with_values
from explorer.tui import recents
from explorer.tui.config import UI_THEMES, ZOOMS, Config, load_config
from explorer.tui.keys import KEYS, clashes
from explorer.views.safe_text import safe

VALUES = ('"dark"', "true", "3", "-1", "1e999", "nan", "[]", "{}", '"""a\nb"""', "1979-05-27",
          '"\\u202e"',
          '"ctrl+c"', '"a"', '"a,b"', '"shift+a"', "9" * 400, '"' + "x" * 3000 + '"', "[[[[]]]]",
          '"\\u0000"', "{ a = { b = { c = 1 } } }", "0x7fffffffffffffffff")  # fmt: skip
NAMES = (
    *(key.id for key in KEYS), *(each.option.name for each in all_settings()), "theme", "zoom",
    "follow", "bell", "device", "x", '"a.b"', '""', "a.b.c.d.e", "iterations", "batch-size",
)  # fmt: skip
SECTIONS = ("[ui]", "[keys]", "[defaults]", "[[ui]]", "[x]", "[keys.decide]", "", '["ui"]')


def toml(chance: random.Random) -> bytes:
    """A configuration, mostly one that can be parsed, sometimes with bytes changed."""
    lines = []
    for _ in range(chance.randrange(6)):
        lines.append(chance.choice(SECTIONS))
        for _ in range(chance.randrange(5)):
            lines.append(f"{chance.choice(NAMES)} = {_value(chance)}")
    content = bytearray("\n".join(lines).encode())
    if chance.random() < 0.3:
        _spoil(chance, content)
    if chance.random() < 0.02:
        content = bytearray(b"a = " + b"[" * chance.choice((50, 5_000, 50_000)))
    return bytes(content)


def _value(chance: random.Random) -> str:
    if chance.random() < 0.7:
        return chance.choice(VALUES)
    word = chance.choice((*WORDS, *UI_THEMES, *ZOOMS)).encode("utf-8", "replace").decode()
    return chance.choice((json.dumps(word), chance.choice(NUMBERS) or "0"))


def state(chance: random.Random) -> bytes:
    """A file of recent stores, near to what the app writes or far from it."""
    content = bytearray(json.dumps(_document(chance)).encode())
    if chance.random() < 0.3:
        _spoil(chance, content)
    if chance.random() < 0.02:
        content = bytearray(b'{"recents":' * chance.choice((20, 3_000, 90_000)))
    return bytes(content)


def _document(chance: random.Random) -> object:
    entries = [
        {
            "path": _anything(chance, "x.db"), "run": _anything(chance, "tiny-1"),
            "opened_at": _anything(chance, 1.7e9), "num_nodes": _anything(chance, 3),
            "best": {"name": _anything(chance, "R"), "val_accuracy": _anything(chance, 9.5),
                     "macs_reduction": _anything(chance, 1.0)},
        }
        for _ in range(chance.randrange(30))
    ]  # fmt: skip
    sizes = {chance.choice(WORDS): _anything(chance, 40) for _ in range(3)}
    return _anything(chance, {"recents": _anything(chance, entries), "sizes": sizes})


def _anything(chance: random.Random, usual: object) -> object:
    if chance.random() < 0.75:
        return usual
    odd = (None, True, 0, -1, 1e308, float("nan"), float("inf"), 10**400, "", "\0", [], {}, [[]],
           chance.choice(WORDS), "/dev/zero", "~", {"a": [1]})  # fmt: skip
    return chance.choice(odd)


def _spoil(chance: random.Random, content: bytearray) -> None:
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(content) + 1)
        if chance.random() < 0.5:
            content[place:place] = bytes(chance.randrange(256) for _ in range(3))
        else:
            del content[place : place + chance.randrange(1, 9)]


def check_config(path: Path) -> None:
    """What holds of every configuration, however wrong its file is."""
    config = load_config(path)
    assert isinstance(config, Config)
    assert config.theme in (None, *UI_THEMES) and config.zoom in (None, *range(len(ZOOMS) - 1))
    assert type(config.follow) is bool and type(config.bell) is bool
    assert not list(clashes(config.key_table)), "two keys that do different things"
    with_values(Settings(), config.overrides)  # what is kept is in its range
    assert len(config.problems) <= 21
    for problem in config.problems:
        assert len(problem) < 1_000 and not harmful(safe(problem).replace("\n", " "))


def check_state() -> None:
    """What holds of what is remembered, however wrong its file is; and it can be written again."""
    for recent in recents.recents():
        assert os.path.isfile(recent.path) and 0 <= recent.opened_at < 1e12
    assert all(0 < size < 100 for size in recents.sizes().values())
    recents.set_sizes({"tree": 40})
    recents.remember("new.db", "tiny-1", 3)
    if Path(str(recents.state_path())).is_file():
        assert recents.sizes()["tree"] == 40


def try_files(folder: Path, seconds: float, seed: int) -> int:
    tries = 0
    for chance in rounds(seconds, seed):
        config = folder / "config.toml"
        config.write_bytes(content := toml(chance))
        (folder / "state.json").write_bytes(remembered := state(chance))
        try:
            check_config(config)
            check_state()
        except Exception as error:
            what = f"{content[:1500]!r} and {remembered[:1500]!r}"
            raise AssertionError(f"{str(error)[:300]} of {what}") from error
        tries += 1
    return tries


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PE_EXPLORE_STATE", str(tmp_path / "state.json"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.db").write_bytes(b"")
    return tmp_path


@pytest.mark.slow
def test_random_configurations_and_states(folder):
    tries = try_files(folder, 10, seed=0)
    print(f"{tries} configurations and states")
    assert tries >= 100


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "device", "unreadable", "long"])
def test_what_is_no_file_is_told_and_nothing_waits(folder, monkeypatch, kind):
    path = folder / "odd"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to("odd")
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "unreadable":
        path = folder / "x.db" / "below a file"
    else:
        path = folder / ("n" * 300)
    config = load_config(path)
    assert len(config.problems) == 1 and "defaults are used" in config.problems[0]
    monkeypatch.setenv("PE_EXPLORE_STATE", str(path))
    assert recents.recents() == [] and recents.sizes() == {}
    if kind not in ("device", "pipe", "loop"):  # that write replaces
        assert "cannot" in (recents.remember("x.db", "run", 1) or "")
