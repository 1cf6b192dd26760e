"""What a study compares: ways, each a name and the settings in which it differs from the others.

A study is a preset, a setting's choices, or a TOML file:

    [settings]            # of all ways
    iterations = 3

    [[way]]
    name = "cka"          # the first one is what the others are held against

    [[way]]
    name = "l1, cosine"
    criterion = "l1"
    schedule = "cosine"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.contracts.errors import SettingsError, UsageError
from engine.contracts.methods import RECOVERIES
from engine.contracts.near import did_you_mean
from engine.contracts.options import SettingField, SettingValue
from engine.contracts.settings import Settings, all_settings, setting_named, with_values

_LONGEST_NAME, _MOST_WAYS, _MOST_BYTES = 40, 100, 2**20


class StudyError(UsageError):
    """A study that cannot be done as it is written."""

    code = "study"


@dataclass(frozen=True)
class Way:
    """One way to grow a tree, and the settings by which it is another one than the rest."""

    name: str
    settings: Mapping[str, SettingValue] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Study:
    """Ways that are compared; `settings` hold for all of them where nobody says otherwise."""

    name: str
    about: str
    ways: tuple[Way, ...]
    settings: Mapping[str, SettingValue] = field(default_factory=dict)


def table3() -> Study:
    """Table III of the paper, with what it lacks: the same schedule for all."""
    ways = [
        Way("cka"),
        Way("coin", {"policy": "random"}),
        Way("layers", {"policy": "layers"}),
        Way("filters", {"policy": "filters"}),
        Way("layers-first", {"policy": "layers-first"}),
        Way("cka+cosine", {"schedule": "cosine"}),
        Way("l1+cosine", {"criterion": "l1", "schedule": "cosine"}),
    ]
    if "scratch" in RECOVERIES:
        ways.append(Way("scratch", {"recover": "scratch"}))
    return Study(
        "table3", "who decides, with equal schedules (Table III of the paper)", tuple(ways)
    )


# Studies over the choices of one setting.
OF_A_SETTING: Mapping[str, str] = {
    "criteria": "criterion",
    "similarity": "similarity",
    "recoveries": "recover",
    "repairs": "repair",
    "allocations": "allocation",
    "policies": "policy",
}
NAMES = ("table3", *OF_A_SETTING)


def of_a_setting(name: str) -> Study:
    """A study over the choices of a setting; those that need an argument are for a STUDY.toml."""
    setting = OF_A_SETTING[name]
    choices = [each for each in setting_named(setting).option.choices if ":" not in each]
    return Study(name, f"every --{setting}", tuple(Way(each, {setting: each}) for each in choices))


def study_named(what: str) -> Study:
    """The study of that name, or of a file. Raises StudyError."""
    if what == "table3":
        return table3()
    if what in OF_A_SETTING:
        return of_a_setting(what)
    path = Path(what).expanduser()
    if path.suffix == ".toml" or path.is_file():
        return read_study(path)
    hint = did_you_mean(what, (*NAMES, "oracle"))
    raise StudyError(
        f"there is no study {what!r}; {hint}It is oracle, {', '.join(NAMES)}, or a file STUDY.toml"
    )


# ------------------------------------------------------------ files


def read_study(path: Path) -> Study:
    """The study of a TOML file. Raises StudyError."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise StudyError(f"{path} is larger than {_MOST_BYTES:,} bytes: that is no study")
        document = tomllib.loads(text.decode())
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is no TOML file: {error}") from error
    known = ("about", "settings", "way")
    for key in document:
        if key not in known:
            hint = did_you_mean(key, known)
            raise StudyError(f"{path}: {key!r} says nothing; {hint}A study has {', '.join(known)}")
    written = document.get("way", [])
    if not isinstance(written, list) or not all(isinstance(each, dict) for each in written):
        raise StudyError(f"{path}: each way is a table of its own, below a line [[way]]")
    of_all = document.get("settings", {})
    if not isinstance(of_all, dict):
        raise StudyError(f"{path}: settings is a table, below a line [settings]")
    ways = tuple(_way(each, number, path) for number, each in enumerate(written, 1))
    study = Study(
        path.stem, str(document.get("about", "")), ways, _settings(of_all, f"{path}: [settings]")
    )
    check_study(study)
    return study


def _way(table: Mapping[str, object], number: int, path: Path) -> Way:
    name = table.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise StudyError(
            f"{path}: way {number} needs a name of 1 to {_LONGEST_NAME} characters, as in "
            f'name = "cka"; it is {name!r}'
        )
    rest = {key: value for key, value in table.items() if key != "name"}
    return Way(name, _settings(rest, f"{path}: way {name!r}"))


def _settings(table: Mapping[str, object], where: str) -> dict[str, SettingValue]:
    fields = {each.option.name: each for each in all_settings()}
    found: dict[str, SettingValue] = {}
    for key, value in table.items():
        name = key.removeprefix("--").replace("-", "_")
        if name not in fields:
            raise StudyError(
                f"{where}: there is no setting {key!r}; {did_you_mean(name, fields)}"
                "docs/settings.md has them all"
            )
        found[name] = _typed(value, fields[name], f"{where}: {key}")
    return found


def _typed(value: object, setting: SettingField, where: str) -> SettingValue:
    kind = setting.type
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, kind):
        wanted = {int: "a whole number", float: "a number", str: "text in quotes"}[kind]
        raise StudyError(f"{where} is {value!r}; it must be {wanted}")
    return value


# ------------------------------------------------------------ what can be compared


def check_study(study: Study) -> None:
    """Raises StudyError where the ways cannot be compared."""
    if not 1 <= len(study.ways) <= _MOST_WAYS:
        raise StudyError(
            f"the study {study.name} has {len(study.ways)} ways; give 1 to {_MOST_WAYS}"
        )
    _check_names(study)
    if "seed" in study.settings:
        raise StudyError("a study has seeds of its own; say --seeds, and leave seed out")
    _valued(study.settings, "[settings]")
    seen: dict[Settings, str] = {}
    for way in study.ways:
        settings = _valued({**study.settings, **way.settings}, f"way {way.name!r}")
        if settings in seen:
            raise StudyError(
                f"the ways {seen[settings]!r} and {way.name!r} are the same; each needs a setting "
                "of its own"
            )
        seen[settings] = way.name
        for name in way.settings:
            _check_own(way.name, setting_named(name))


def _valued(values: Mapping[str, SettingValue], where: str) -> Settings:
    """Settings with those values, each in its range."""
    try:
        return with_values(Settings(), values)
    except SettingsError as error:
        raise StudyError(f"{where}: {error}") from error


def _check_names(study: Study) -> None:
    names = [way.name for way in study.ways]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise StudyError(f"two ways are called {twice!r}; give each a name of its own")


def _check_own(way: str, setting: SettingField) -> None:
    """Raises StudyError for a setting that would make a way another experiment."""
    option = setting.option
    if option.name == "seed":
        raise StudyError(f"way {way!r} sets a seed; all ways have the same ones, see --seeds")
    if setting.section == "data":
        raise StudyError(
            f"way {way!r} sets {option.name}: all ways are grown on the same data from the same "
            "root. Say it for all, below [settings] or as an option"
        )
    if option.stops:
        raise StudyError(
            f"way {way!r} sets {option.name}, which may change while a run goes on: ways are "
            "compared after the same number of steps. Say it for all, below [settings] or as an "
            "option"
        )
