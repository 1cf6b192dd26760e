"""Settings that go together, by name: what a run begins with where a person names a preset.

Each is put below what is given explicitly, and recorded in the run as ordinary settings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.contracts.options import SettingValue, check_name
from engine.contracts.setting_sections import PROTOCOLS
from engine.contracts.settings import Settings, value_of


@dataclass(frozen=True)
class Preset:
    """What it is for, in a line; why its settings are those; and the settings."""

    name: str
    meaning: str
    why: str
    values: Mapping[str, SettingValue]


QUICK = Preset(
    "quick",
    "to see how a tree grows: minutes, and accuracies below what the network can do",
    "One epoch on 3,000 images already orders candidates: so grown, the candidate whose CKA was "
    "higher was the more accurate one in 44 of 47 decisions (benchmarks/RESULTS.md). `kl-fast` "
    "ranks as the exact KL does in a seventh of the time.",
    {
        "criterion": "kl-fast",
        "criterion_samples": 20,
        "train_limit": 3_000,
        "recovery_epochs": 1,
        "tune_epochs": 2,
    },
)
SERIOUS = Preset(
    "serious",
    "for results of your own: all training images, candidates recovered as in the paper",
    "Ten epochs of recovery are the paper's, and what two candidates are compared after; twenty "
    "more tune the kept one, where the paper spends 190 for the last few tenths of accuracy. "
    "`kl-fast` ranks as the exact KL does (Spearman .999); 1,000 resamples put 25 instead of 5 "
    "beyond each end of a margin's interval, for seconds.",
    {
        "criterion": "kl-fast",
        "recovery_epochs": 10,
        "tune_epochs": 30,
        "num_resamples": 1_000,
    },
)
PAPER = Preset(
    "paper",
    "as in the paper: 10 + 190 epochs, CKA on the test images (the same as --protocol paper)",
    "The authors' settings; algorithm.md tells what they leave open.",
    {
        "recovery_epochs": 10,
        "tune_epochs": 200,
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "similarity_split": "test",
    },
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in (QUICK, SERIOUS, PAPER)}

# What the bundled sample begins with where no preset is named.
SAMPLE: Mapping[str, SettingValue] = {
    "criterion_samples": 20,
    "recovery_epochs": 1,
    "tune_epochs": 2,
    "train_limit": 3_000,
}
# Of images that are read here: a task of a person's own reads its data itself.
_OF_IMAGES = ("train_limit", "image_size", "resize", "loader", "transforms", "validation_from")


def preset_named(name: str) -> Preset:
    """A preset by its name. Raises SettingsError."""
    check_name("preset", name, PRESETS)
    return PRESETS[name]


def values_of_preset(
    name: str | None, data: str, *, is_task: bool = False
) -> Mapping[str, SettingValue]:
    """The defaults that a preset, or the bundled sample, puts in place of the usual ones.

    Raises SettingsError.
    """
    if name is None:
        return SAMPLE if data == "sample" else {}
    values = preset_named(name).values
    return {key: v for key, v in values.items() if not (is_task and key in _OF_IMAGES)}


def preset_of(protocol: str, preset: str | None) -> str | None:
    """The preset that a protocol or the name of a preset means. Raises SettingsError."""
    check_name("protocol", protocol, PROTOCOLS)
    if preset is not None:
        check_name("preset", preset, PRESETS)
    return PAPER.name if protocol == PAPER.name else preset


def presets_like(settings: Settings, given: Collection[str] = ()) -> tuple[str, ...]:
    """The presets whose settings a run has, but for those that were `given`."""
    return tuple(
        preset.name
        for preset in PRESETS.values()
        if all(
            name in given or value_of(settings, name) == value
            for name, value in preset.values.items()
        )
    )
