"""The settings of a run: one frozen value, checked when made. Needs no PyTorch."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from engine.contracts.errors import SettingsError

CRITERIA = ("kl", "kl-fast", "l1")
SIMILARITIES = ("cka",)
MATCHES = ("filters", "macs", "params")
ALLOCATIONS = ("uniform", "global")
POLICIES = ("cka", "random", "layers", "filters", "layers-first")
PROTOCOLS = ("default", "paper")


@dataclass(frozen=True)
class Settings:
    """How a tree is grown. Epochs count passes over the training images; accuracies are percent.

    `tune_epochs` is the whole fine-tuning of a kept node; the recovery epochs it has had already
    are discounted from it.
    """

    data: str = "sample"
    train_limit: int | None = None
    seed: int = 0
    criterion: str = "kl"
    criterion_samples: int = 500  # training images a class
    match: str = "filters"
    allocation: str = "uniform"
    min_blocks: int = 2  # that stay in each stage
    similarity: str = "cka"
    similarity_split: str = "validation"
    layer_bonus: float = 0.0  # added to the layer candidate's similarity
    num_resamples: int = 200
    recovery_epochs: int = 10
    tune_epochs: int = 30
    learning_rate: float = 0.01
    batch_size: int = 128
    weight_decay: float = 5e-4
    policy: str = "cka"
    iterations: int = 5
    max_drop: float | None = None  # percentage points of validation accuracy below the root's
    target_macs: float | None = None  # stop once this percentage of the root's is removed

    def __post_init__(self) -> None:
        for name, known in (
            ("criterion", CRITERIA),
            ("similarity", SIMILARITIES),
            ("match", MATCHES),
            ("allocation", ALLOCATIONS),
            ("policy", POLICIES),
            ("similarity_split", ("validation", "test")),
        ):
            check_name(name, getattr(self, name), known)
        for name, low, high in (
            ("seed", 0, 2**63 - 1),
            ("train_limit", 1, 10**9),
            ("criterion_samples", 1, 10**6),
            ("min_blocks", 1, 10**4),
            ("layer_bonus", -1, 1),
            ("num_resamples", 0, 10**5),
            ("recovery_epochs", 0, 10**5),
            ("tune_epochs", 0, 10**5),
            ("learning_rate", 1e-9, 100),
            ("batch_size", 2, 10**6),
            ("weight_decay", 0, 1),
            ("iterations", 1, 10**6),
            ("max_drop", 0, 100),
            ("target_macs", 0, 100),
        ):
            check_range(name, getattr(self, name), low, high)

    @property
    def total_epochs(self) -> int:
        """The length of the schedule that recovery and tuning share."""
        return max(self.recovery_epochs, self.tune_epochs)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Settings:
        """The settings of `as_dict`; what an older version did not know takes its default."""
        known = {field.name for field in fields(Settings)}
        return Settings(**{key: v for key, v in value.items() if key in known})


PAPER = {
    "recovery_epochs": 10,
    "tune_epochs": 200,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "similarity_split": "test",
}
SAMPLE = {"criterion_samples": 20, "recovery_epochs": 1, "tune_epochs": 2, "train_limit": 3_000}


def preset(protocol: str, data: str) -> dict[str, Any]:
    """The defaults that a protocol or the bundled sample puts in place of the usual ones."""
    check_name("protocol", protocol, PROTOCOLS)
    if protocol == "paper":
        return dict(PAPER)
    return dict(SAMPLE) if data == "sample" else {}


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with those values that are not None put in."""
    return replace(settings, **{key: v for key, v in values.items() if v is not None})


def flag(name: str) -> str:
    """The command-line option of a setting."""
    return "--" + name.replace("_", "-")


def check_name(name: str, value: str, known: Iterable[str]) -> None:
    """Raises SettingsError, with the nearest known name, for a value that is none of them."""
    known = tuple(known)
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SettingsError(f"{flag(name)} {value!r}: {hint}It is one of {', '.join(known)}")


def check_range(name: str, value: float | None, low: float, high: float) -> None:
    """Raises SettingsError for a number outside [low, high] or not finite; None passes."""
    if value is None:
        return
    if not math.isfinite(value) or not low <= value <= high:
        raise SettingsError(f"{flag(name)} is {value}; it must be between {low:g} and {high:g}")
