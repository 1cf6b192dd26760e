"""A run's settings, each with its default and its meaning, for people and for `--json`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from engine.contracts.methods import looked_at
from engine.contracts.options import SettingField, SettingValue
from engine.contracts.presets import SAMPLE, presets_like, values_of_preset
from engine.contracts.settings import Settings, all_settings, setting_named, value_of
from explorer.views.shape_fields import told

Because = Literal["default", "given", "preset", "sample", "network", "changed"]
BECAUSE_WORDS: Mapping[str, str] = {
    "default": "",
    "given": "given",
    "preset": "by the preset",
    "sample": "of the sample",
    "network": "suits the network",
    "changed": "not the default",
}
# What sections are called, in the order in which settings are shown.
SECTIONS: Mapping[str, str] = {
    "data": "Data",
    "scoring": "Scoring",
    "training": "Training",
    "similarity": "Similarity",
    "search": "Search",
    "": "Chance",
}
_ENOUGH = 10**5  # a bound that nobody comes near


@dataclass(frozen=True)
class SettingView:
    """One setting of a run."""

    name: str = told("its option, without the dashes in front")
    section: str = told("the section of settings.md; empty for the seed")
    value: SettingValue = told("what it is; null for none")
    default: SettingValue = told("what it is where nobody says; null for none")
    because: Because = told(
        "why it is so: `given`, by the `preset`, of the `sample`, suits the `network`; `changed`: "
        "not the default, and the run does not say why"
    )
    about: str = told("what it means")

    @property
    def changed(self) -> bool:
        """Whether it is not the default."""
        return self.value != self.default


def setting_views(
    settings: Settings,
    *,
    given: Collection[str] | None = None,
    preset: str | None = None,
    data: str = "",
) -> tuple[SettingView, ...]:
    """Every setting. `given` are the names of those that a person gave (None: nobody knows),
    `preset` is what else was named, `data` the data that were."""
    of_preset = values_of_preset(preset, data)

    def because(name: str, value: SettingValue, default: SettingValue) -> Because:
        if given is not None and name in given:
            return "given"
        if value == default:
            return "default"
        if given is None:
            return "changed"
        if name in of_preset and value == of_preset[name]:
            return "preset" if of_preset is not SAMPLE else "sample"
        return "sample" if name == "data" else "network"

    found = []
    for section in SECTIONS:
        for each in all_settings():
            if each.section == section:
                value = value_of(settings, each.option.name)
                default = None if each.option.unset else each.default
                why = because(each.option.name, value, default)
                name, about = each.option.flag.removeprefix("--"), each.option.help
                found.append(SettingView(name, section, value, default, why, about))
    return tuple(found)


def shown_value(value: SettingValue) -> str:
    """A value as a person writes it; `–` for none."""
    if value is None or value == "":
        return "–"
    return f"{value:,g}" if isinstance(value, float) else str(value)


def may_be(each: SettingField) -> str:
    """What a setting may be, in words."""
    option = each.option
    if option.choices:
        also = [word for word in (option.beside, option.argument) if word]
        return ", ".join([*option.choices, *also])
    if option.low is None or option.high is None:
        return "text"
    kind = "a whole number" if each.type is int else "a number"
    if option.high >= _ENOUGH:
        return f"{kind}, {option.low:,g} or more"
    return f"{kind} from {option.low:,g} to {option.high:,g}"


def settings_in_a_line(settings: Settings, items: str = "images") -> str:
    """What a run was grown with, in a line: what one asks first, and what is not the default."""
    scoring, training, search = settings.scoring, settings.training, settings.search
    images = looked_at(scoring.criterion, f"{scoring.criterion_samples} {items} a class")
    limit = settings.data.train_limit
    words = [
        f"ranked by {scoring.criterion} ({images})",
        f"{training.recovery_epochs} + {training.total_epochs - training.recovery_epochs} epochs"
        + (f" on {limit:,} {items}" if limit is not None else ""),
        f"kept by {search.policy}",
        f"seed {settings.seed}",
    ]
    told_already = {"criterion", "criterion-samples", "recovery-epochs", "tune-epochs", "data",
                    "train-limit", "policy", "seed", "iterations"}  # fmt: skip
    words += [
        f"{view.name} {shown_value(view.value)}"
        for view in setting_views(settings)
        if view.changed and view.name not in told_already
    ]
    return ", ".join(words)


def preset_words(settings: Settings) -> str:
    """Whose settings a run has, in words; empty where no preset's."""
    found = presets_like(settings)
    if found:
        return f"the settings of {found[0]}"
    almost = presets_like(settings, given=("train_limit", "criterion", "criterion_samples"))
    return f"the epochs of {almost[0]}" if almost else ""


def with_value(settings: Settings, name: str, value: SettingValue) -> Settings:
    """The settings with one changed, to none as well. Raises SettingsError."""
    found = setting_named(name)
    if not found.section:
        return replace(settings, **{found.attribute: value})  # type: ignore[arg-type]
    section = replace(getattr(settings, found.section), **{found.attribute: value})
    return replace(settings, **{found.section: section})


def read_value(name: str, text: str) -> SettingValue:
    """What was typed for a setting; nothing is its default. Raises ValueError saying what it may
    be."""
    found, text = setting_named(name), text.strip()
    if text in ("", "–"):
        return found.default
    if found.type is str:
        return text
    try:
        return found.type(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise ValueError(f"{text!r} is not {may_be(found)}") from None


def neighbour(name: str, value: SettingValue, step: int) -> SettingValue:
    """The value before or after this one: another choice, or a rounder number."""
    found = setting_named(name)
    option = found.option
    if option.choices:
        place = option.choices.index(str(value)) if value in option.choices else 0
        return option.choices[(place + step) % len(option.choices)]
    if not isinstance(value, int | float) or option.low is None or option.high is None:
        return value
    if name in _ONE_BY_ONE or (found.type is int and value + step <= 5):
        return found.type(min(max(value + step, option.low), option.high))
    return found.type(min(max(_rounder(value, step), option.low), option.high))


_ONE_BY_ONE = ("seed", "min_blocks", "iterations", "accumulate")


def _rounder(value: float, step: int) -> float:
    """The next number of 1, 2, 5, 10, 20, 50, …, each way; from 0 up, a hundredth."""
    if value <= 0:
        return 0.01 if step > 0 else 0.0
    around = math.floor(math.log10(value))
    ladder = [round(m * 10.0**e, 12) for e in range(around - 1, around + 2) for m in (1, 2, 5)]
    if step > 0:
        return next(each for each in ladder if each > value * 1.0001)
    below = [each for each in ladder if each < value * 0.9999]
    return below[-1] if value > 0.001 else 0.0
