"""What a setting is to a person: its words, its range, its option. Front ends are made from it."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engine.contracts.errors import SettingsError
from engine.contracts.methods import name_in
from engine.contracts.near import did_you_mean

SettingValue = int | float | str | None


@dataclass(frozen=True)
class Option:
    """One setting as a person gives it. `name` is unique among all settings; `short` is its letter
    on the command line; `stops` says that it tells when to stop, not what a node is; `unset` is
    what holds where it is not given, unless that is the default itself; `beside` is what may be
    given beside its choices; `argument` what a choice may have behind a colon, for a person."""

    name: str
    help: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    short: str | None = None
    stops: bool = False
    unset: str = ""
    beside: str = ""
    argument: str = ""

    @property
    def flag(self) -> str:
        return flag(self.name)


@dataclass(frozen=True)
class SettingField:
    """Where a setting lies (`section`, empty at the top, and `attribute`), its type and default."""

    option: Option
    section: str
    attribute: str
    type: type[int] | type[float] | type[str]
    optional: bool
    default: SettingValue


def setting(default: Any, option: Option) -> Any:
    """A dataclass field that is a setting."""
    return field(default=default, metadata={"option": option})


def setting_fields(kind: type, section: str = "") -> list[SettingField]:
    """The settings of a dataclass and of the sections in it, in order."""
    hints = typing.get_type_hints(kind)
    found: list[SettingField] = []
    for each in dataclasses.fields(kind):
        hint = hints[each.name]
        option = each.metadata.get("option")
        if option is not None:
            plain = [t for t in typing.get_args(hint) or (hint,) if t is not type(None)]
            optional = type(None) in typing.get_args(hint)
            found.append(
                SettingField(
                    option, section, each.name, plain[0], optional, typing.cast(Any, each.default)
                )
            )
        elif dataclasses.is_dataclass(hint):
            found += setting_fields(typing.cast(type, hint), each.name)
    return found


def check_settings(value: Any) -> None:
    """Raises SettingsError for the first setting that is not what its option says."""
    for each in setting_fields(type(value)):
        if each.section:
            continue  # sections check themselves
        given, option = getattr(value, each.attribute), each.option
        if given is None and each.optional:
            continue
        if option.beside and not given:
            raise SettingsError(
                f"{option.flag} is empty; give {', '.join(option.choices)} or {option.beside}"
            )
        if option.choices and not option.beside:
            name = name_in(given) if option.argument else given
            check_name(option.name, name, option.choices)
        if option.low is not None and option.high is not None:
            check_range(option.name, given, option.low, option.high)


def flag(name: str) -> str:
    """The command-line option of a setting."""
    return "--" + name.replace("_", "-")


def check_name(name: str, value: object, known: Iterable[str]) -> None:
    """Raises SettingsError, with the nearest known name, for a value that is none of them."""
    known = tuple(known)
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise SettingsError(f"{flag(name)} {value!r}: {hint}It is one of {', '.join(known)}")


def check_range(name: str, value: float | None, low: float, high: float) -> None:
    """Raises SettingsError for a number outside [low, high] or not finite; None passes."""
    if value is None:
        return
    if not math.isfinite(value) or not low <= value <= high:
        raise SettingsError(
            f"{flag(name)} is {value}; it must be between {low:,.9g} and {high:,.9g}"
        )
