"""docs/settings.md, made from the fields of the settings.

`python -m explorer.cli.settings_page > docs/settings.md` writes it anew.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping

from engine.contracts.options import SettingField, SettingValue
from engine.contracts.presets import PRESETS, SAMPLE, Preset
from engine.contracts.settings import Settings, all_settings

_TOP = """# Settings

What a tree is grown with. `auto`, `open` and `plan` have an option for each of them, `branch
--fork` for all but those of its data (what is not given there is as in the run that is forked).
`[defaults]` of the configuration ([keys.md](keys.md)) takes the same names without the dashes in
front, for trees that are begun from the start screen. What is not given is as in the column of the
`--preset`, where one is named; else as in the column *sample* where MODEL or `--data` is `sample`,
else the default. `pe-explore plan MODEL` tells what each of them would be, and what the tree takes
on this machine; in the explorer `P` shows those of the run.

A run keeps its settings: the same command resumes it, and with another value a new run begins in
the same store where `--new-run` says so. Only {stopping} may change on
a resume: they say which nodes are grown, not what a node is. `--data` may name another place with
the same images.

`--json` prints the settings in the sections below, by the names of the last column
([json.md](json.md)).

This page is made from the fields (`python -m explorer.cli.settings_page`).

## Presets

`--preset NAME` chooses settings that go together; an option that is given beside it counts more.
They are recorded as ordinary settings. For networks other than CIFAR ResNets the criterion is the
network's own all the same, and no more images are scored with than suit it (`--criterion`,
`--criterion-samples` below). `--protocol paper` is another spelling of `--preset paper`.
"""
_NAMES = (*PRESETS, "sample")
_HEAD = (
    f"| option | default | {' | '.join(_NAMES)} | may be | what it says | in `--json` |",
    "| --- " * (5 + len(_NAMES)) + "|",
)
_LARGEST: dict[float, str] = {10**9: "10⁹", 2**63 - 1: "2⁶³ − 1"}  # what nobody could count


def page() -> str:
    """The whole page."""
    *some, last = (f"`{each.option.flag}`" for each in all_settings() if each.option.stops)
    lines = [_TOP.format(stopping=f"{', '.join(some)} and {last}")]
    lines += ["| preset | is for | why so |", "| --- | --- | --- |"]
    lines += [*map(_preset_row, PRESETS.values()), "", "## all of a run", "", *_HEAD]
    lines += [_row(each) for each in all_settings() if not each.section]
    hints = typing.get_type_hints(Settings)
    for section in dict.fromkeys(each.section for each in all_settings() if each.section):
        lines += ["", f"## {section}", "", _about(hints[section]), "", *_HEAD]
        lines += [_row(each) for each in all_settings() if each.section == section]
    return "\n".join(lines)


def _about(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _preset_row(preset: Preset) -> str:
    return f"| `{preset.name}` | {preset.meaning} | {preset.why} |"


def _row(each: SettingField) -> str:
    option = each.option
    flags = f"`{option.flag}`" + (f" `-{option.short}`" if option.short else "")
    default = option.unset or _value(each.default) or "–"
    columns = (*(preset.values for preset in PRESETS.values()), SAMPLE)
    in_presets = (_preset(values, option.name) for values in columns)
    about = option.help.replace("<", r"\<")
    cells = (flags, default, *in_presets, _may_be(each), about, f"`{each.attribute}`")
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
        also = [f"a {option.beside}"] if option.beside else []
        also += [f"`{option.argument}`"] if option.argument else []
        return ", ".join([*(f"`{choice}`" for choice in option.choices), *also])
    if option.low is None or option.high is None:
        return "text"
    kind = "whole number" if each.type is int else "number"
    return f"{kind}, {option.low:,.9g} to {_LARGEST.get(option.high, f'{option.high:,.9g}')}"


if __name__ == "__main__":
    print(page())
