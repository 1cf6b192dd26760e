"""The settings of a run: one frozen value in sections, checked when made.

Every front end makes its options from the fields; a new setting is one field of a section. A
document that an older version wrote lacks the newer fields: a new field's default must mean what
was done before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from engine.contracts.codec import decode
from engine.contracts.options import (
    Option,
    SettingField,
    SettingValue,
    check_name,
    setting,
    setting_fields,
)
from engine.contracts.setting_sections import (
    Checked,
    DataSettings,
    ScoringSettings,
    SearchSettings,
    SimilaritySettings,
    TrainingSettings,
)


@dataclass(frozen=True)
class Settings(Checked):
    """How a tree is grown. Accuracies are percent."""

    seed: int = setting(0, Option("seed", "Of every random choice", low=0, high=2**63 - 1))
    data: DataSettings = field(default_factory=DataSettings)
    scoring: ScoringSettings = field(default_factory=ScoringSettings)
    similarity: SimilaritySettings = field(default_factory=SimilaritySettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    search: SearchSettings = field(default_factory=SearchSettings)


@cache
def all_settings() -> tuple[SettingField, ...]:
    """Every setting of a run, in the order of the fields."""
    return tuple(setting_fields(Settings))


def setting_named(name: str) -> SettingField:
    """A setting by the name of its option. Raises SettingsError."""
    fields = {each.option.name: each for each in all_settings()}
    check_name(name, name, fields)
    return fields[name]


def value_of(settings: Settings, name: str) -> SettingValue:
    """A setting's value by the name of its option."""
    found = setting_named(name)
    holder = getattr(settings, found.section) if found.section else settings
    value: SettingValue = getattr(holder, found.attribute)
    return value


def with_values(settings: Settings, values: Mapping[str, SettingValue]) -> Settings:
    """The settings with those values put in that are not None, by the names of their options.

    Raises SettingsError.
    """
    sections: dict[str, dict[str, SettingValue]] = {}
    for name, value in values.items():
        if value is not None:
            found = setting_named(name)
            sections.setdefault(found.section, {})[found.attribute] = value
    changes: dict[str, object] = dict(sections.pop("", {}))
    for section, given in sections.items():
        changes[section] = replace(getattr(settings, section), **given)
    return replace(settings, **changes)  # type: ignore[arg-type]


def read_settings(document: Mapping[str, object]) -> Settings:
    """The settings of a document, in sections or, as before format 6, flat.

    What an older version did not know takes its default. Raises FormatError, SettingsError.
    """
    sections = {each.name for each in dataclasses.fields(Settings)}
    if sections & {key for key, value in document.items() if isinstance(value, Mapping)}:
        return decode(Settings, document, "settings")
    nested: dict[str, dict[str, object]] = {}
    for each in all_settings():
        if each.option.name in document:
            nested.setdefault(each.section, {})[each.attribute] = document[each.option.name]
    return decode(Settings, {**nested.pop("", {}), **nested}, "settings")
