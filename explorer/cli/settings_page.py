"""docs/settings.md, made from the fields of the settings.

`python -m explorer.cli.settings_page > docs/settings.md` writes it anew.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping

from engine.contracts.options import SettingField, SettingValue
from engine.contracts.settings import PAPER, SAMPLE, Settings, all_settings

_TOP = """# Settings

What a tree is grown with. `auto` and `open` have an option for each of them, `branch --fork` for
all but those of its data (what is not given there is as in the run that is forked). `[defaults]` of
the configuration ([keys.md](keys.md)) takes the same names without the dashes in front, for trees
that are begun from the start screen. What is not given is as in the column *paper* with
`--protocol paper`, else as in the column *sample* where MODEL or `--data` is `sample`, else the
default.

A run keeps its settings: the same command resumes it, and with another value a new run begins in
the same store where `--new-run` says so. Only {stopping} may change on a resume:
they say when to stop, not what a node is. `--data` may name another place with the same images.

`--json` prints the settings in the sections below, by the names of the last column
([json.md](json.md)).

This page is made from the fields (`python -m explorer.cli.settings_page`).
"""
_HEAD = (
    "| option | default | paper | sample | may be | what it says | in `--json` |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)
_LARGEST: dict[float, str] = {10**9: "10⁹", 2**63 - 1: "2⁶³ − 1"}  # what nobody could count


def page() -> str:
    """The whole page."""
    *some, last = (f"`{each.option.flag}`" for each in all_settings() if each.option.stops)
    lines = [_TOP.format(stopping=f"{', '.join(some)} and {last}"), *_HEAD]
    lines += [_row(each) for each in all_settings() if not each.section]
    hints = typing.get_type_hints(Settings)
    for section in dict.fromkeys(each.section for each in all_settings() if each.section):
        lines += ["", f"## {section}", "", _about(hints[section]), "", *_HEAD]
        lines += [_row(each) for each in all_settings() if each.section == section]
    return "\n".join(lines)


def _about(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _row(each: SettingField) -> str:
    option = each.option
    flags = f"`{option.flag}`" + (f" `-{option.short}`" if option.short else "")
    default = option.unset or _value(each.default) or "–"
    cells = (flags, default, _preset(PAPER, option.name), _preset(SAMPLE, option.name),
             _may_be(each), option.help.replace("<", r"\<"), f"`{each.attribute}`")  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _preset(values: Mapping[str, SettingValue], name: str) -> str:
    return _value(values[name]) if name in values else ""


def _value(value: SettingValue) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _may_be(each: SettingField) -> str:
    option = each.option
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    if option.low is None or option.high is None:
        return "text"
    kind = "whole number" if each.type is int else "number"
    return f"{kind}, {option.low:,.9g} to {_LARGEST.get(option.high, f'{option.high:,.9g}')}"


if __name__ == "__main__":
    print(page())
