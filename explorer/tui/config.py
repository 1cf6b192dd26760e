"""A person's configuration: theme, keys, and settings that new trees start from.

A TOML file in the user's configuration folder; `PE_EXPLORE_CONFIG` names another. What is wrong in
it is told and left out, and the rest counts: a broken configuration stops nothing.
"""

from __future__ import annotations

import reprlib
import shlex
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from engine.contracts.errors import SettingsError, UnusableFileError
from engine.contracts.near import did_you_mean
from engine.contracts.options import SettingValue
from engine.contracts.outside import read_bounded
from engine.contracts.settings import Settings, all_settings, with_values
from explorer.session.own_files import own_file
from explorer.tui.keys import (
    KEY_NAMES,
    KEYS,
    MODIFIERS,
    Key,
    clashes,
    key_name,
    rebound,
    shown,
)

UI_THEMES = ("dark", "light", "ansi", "none")
ZOOMS = ("auto", "dots", "chips", "cards", "sheets")
NOTIFICATIONS = ("none", "bell", "osc9", "osc777")
SECTIONS = ("ui", "keys", "defaults")
_RESERVED = ("tab", "shift+tab", "ctrl+c", "ctrl+q")  # the way out, and the way on
_LARGEST_BYTES = 1_000_000
_MOST_PROBLEMS, _LONGEST_PROBLEM = 20, 500  # that are told, and characters of one


class ConfigError(Exception):
    """Something in the configuration that cannot count; says where, the value, and what would."""


@dataclass(frozen=True)
class Config:
    """What a person configured. `overrides` are settings by name, `problems` what was left out."""

    theme: str | None = None  # one of UI_THEMES, None: by the terminal
    zoom: int | None = None  # a step of the zoom, None: by the space there is
    follow: bool = True
    bell: bool = False
    plan: bool = True  # whether what a new run takes is shown before it begins
    notify: str = "none"  # one of NOTIFICATIONS: how a terminal is told that work has ended
    notify_command: tuple[str, ...] = ()  # a program of this person's that is told of it too
    keymap: Mapping[str, str] = field(default_factory=dict)  # keys by id
    device: str = "auto"
    overrides: Mapping[str, SettingValue] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def key_table(self) -> tuple[Key, ...]:
        """The key table with this person's keys."""
        return rebound(self.keymap)


def config_path() -> Path | None:
    """The file to configure the app with; None for a user who has no folder for such files."""
    return own_file("PE_EXPLORE_CONFIG", platformdirs.user_config_path, "config.toml")


def load_config(path: Path | None = None) -> Config:
    """The configuration of a file; the defaults where there is none. Never raises."""
    given = path or config_path()
    if given is None:
        return Config()
    try:
        content = read_bounded(given, _LARGEST_BYTES)
    except UnusableFileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Config()
        return Config(problems=(f"{error}; defaults are used",))
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return Config(problems=(f"{given}: not TOML: {error}; defaults are used",))
    return _Reader(given.name).read(values)


class _Reader:
    """Reads the values of one file, keeping what is right and collecting what is wrong."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []

    def read(self, values: Mapping[str, Any]) -> Config:
        found: dict[str, Any] = {}
        for section, content in values.items():
            try:
                if section not in SECTIONS:
                    raise ConfigError(f"[{section}] is unknown{_nearest(section, SECTIONS)}")
                if not isinstance(content, dict):
                    raise ConfigError(
                        f"{section} = {content!r}: write it as a section, [{section}]"
                    )
            except ConfigError as error:
                self._leave_out(error)
                continue
            found |= {"ui": self._ui, "keys": self._keys, "defaults": self._defaults}[section](
                content
            )
        shown = self.problems[:_MOST_PROBLEMS]
        if more := len(self.problems) - len(shown):
            shown.append(f"{self.name}: and {more} more that are left out")
        return Config(**found, problems=tuple(shown))

    def _leave_out(self, error: ConfigError) -> None:
        words = str(error)
        cut = words if len(words) <= _LONGEST_PROBLEM else words[:_LONGEST_PROBLEM] + "…"
        self.problems.append(f"{self.name}: {cut}")

    def _ui(self, content: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in content.items():
            try:
                found[name.replace("-", "_")] = _ui_value(name, value)
            except ConfigError as error:
                self._leave_out(error)
        return found

    def _keys(self, content: Mapping[str, Any]) -> dict[str, Any]:
        keymap: dict[str, str] = {}
        for id, value in _flat(content):
            try:
                keymap[id] = _keys_value(id, value)
            except ConfigError as error:
                self._leave_out(error)
        # Two at a time clash only with each other, so each round leaves out one of the person's.
        while found := clashes(rebound(keymap)):
            name, first, second = found[0]
            wrong = second if second.id in keymap else first
            other = first if wrong is second else second
            self._leave_out(ConfigError(
                f"[keys] {wrong.id} = {keymap.pop(wrong.id)!r}: {shown(name)} is the key of "
                f"{other.id} already ({other.label}); give one of them another key"
            ))  # fmt: skip
        return {"keymap": keymap}

    def _defaults(self, content: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        overrides: dict[str, Any] = {}
        for name, value in content.items():
            try:
                if name == "device":
                    found["device"] = _text(f"[defaults] {name}", value)
                else:
                    field_name, checked = _setting(name, value)
                    overrides[field_name] = checked
            except ConfigError as error:
                self._leave_out(error)
        return {**found, "overrides": overrides}


# ------------------------------------------------------------ [ui]


def _ui_value(name: str, value: Any) -> Any:
    where = f"[ui] {name}"
    if name == "theme":
        return _one_of(where, value, UI_THEMES)
    if name == "zoom":
        place = ZOOMS.index(_one_of(where, value, ZOOMS))
        return place - 1 if place else None
    if name in ("follow", "bell", "plan"):
        if not isinstance(value, bool):
            raise ConfigError(f"{where} = {_brief(value)}: it is true or false")
        return value
    if name == "notify":
        return _one_of(where, value, NOTIFICATIONS)
    if name == "notify-command":
        return _command(where, value)
    known = ("theme", "zoom", "follow", "bell", "plan", "notify", "notify-command")
    raise ConfigError(f"{where} is unknown{_nearest(name, known)}")


def _command(where: str, value: Any) -> tuple[str, ...]:
    """A program and its arguments, as a shell would take them apart. Raises ConfigError."""
    try:
        words = tuple(shlex.split(_text(where, value)))
    except ValueError as error:
        raise ConfigError(f"{where} = {_brief(value)}: {error}") from None
    if not words or "\0" in "".join(words):
        raise ConfigError(f"{where} = {_brief(value)}: it names no program")
    return words


def _one_of(where: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigError(f"{where} = {_brief(value)} is unknown{_nearest(value, known)}")
    return str(value)


# ------------------------------------------------------------ [keys]


def _flat(content: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """The entries by their full ids: `decide.approve = …` without quotes is a table in TOML."""
    entries: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, dict) and before.count(".") < 2:
            entries += _flat(value, f"{before}{name}.")
        else:
            entries.append((f"{before}{name}", value))
    return entries


def _keys_value(id: str, value: Any) -> str:
    """Keys in the form that Textual's keymap takes. Raises ConfigError."""
    where = f"[keys] {id}"
    known = [key.id for key in KEYS]
    if id not in known:
        raise ConfigError(f"{where} is unknown{_nearest(id, known, tell_all=False)}")
    text = _text(where, value)
    # A comma alone is the key of that name; elsewhere it stands between keys.
    names = [key_name(key) for key in ([text] if text == "," else text.split(","))]
    for name in names:
        _check_key(where, name)
    return ",".join(dict.fromkeys(names))


def _check_key(where: str, name: str) -> None:
    *modifiers, key = name.split("+")
    if name in _RESERVED:
        raise ConfigError(f"{where} = {name!r}: this key is the terminal's or Textual's own")
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise ConfigError(f"{where}: {modifier!r} in {name!r}{_nearest(modifier, MODIFIERS)}")
    if modifiers == ["shift"] and len(key) == 1:
        raise ConfigError(f"{where} = {name!r}: write the character itself, {key.upper()!r}")
    if not (len(key) == 1 and key.isalnum()) and key not in KEY_NAMES:
        raise ConfigError(f"{where}: there is no key {name!r}{_nearest(key, KEY_NAMES, False)}")


# ------------------------------------------------------------ [defaults]


def _setting(flag: str, value: Any) -> tuple[str, SettingValue]:
    """The setting that a flag of `auto` stands for, checked. Raises ConfigError."""
    where, name = f"[defaults] {flag}", flag.removeprefix("--").replace("-", "_")
    settings = {each.option.name: each for each in all_settings()}
    if name not in settings:
        known = ["device", *(n.replace("_", "-") for n in settings)]
        raise ConfigError(f"{where} is unknown{_nearest(flag, known)}")
    wanted = settings[name].type
    if type(value) is int and abs(value) >= 2**63:
        raise ConfigError(f"{where}: the number is too large")
    if type(value) is int and wanted is float:
        value = float(value)
    if type(value) is not wanted:
        words = {int: "a whole number", float: "a number", str: 'text in "quotes"'}
        raise ConfigError(f"{where} = {_brief(value)}: it is {words[wanted]}")
    try:
        with_values(Settings(), {name: value})
    except SettingsError as error:
        raise ConfigError(f"{where} = {_brief(value)}: {error}") from None
    return name, value


# ------------------------------------------------------------ words


def _brief(value: Any) -> str:
    """A value of the file, short however large or deep it is."""
    return reprlib.repr(value) if not isinstance(value, int) or abs(value) < 2**63 else "a number"


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f'{where} = {_brief(value)}: it is text in "quotes"')
    return value.strip()


def _nearest(value: Any, known: Collection[str], tell_all: bool = True) -> str:
    hint = did_you_mean(value, known).rstrip()
    hint = f"; {hint}" if hint else ""
    if tell_all:
        hint += f" Known: {', '.join(known)}" if hint else f"; known: {', '.join(known)}"
    return hint or "; `?` in the app lists what there is"
