"""Every measure of a network, once: its key, its words, its unit, its form, which way is better.

Tables, cards, comparisons and reports are made from these rows; a new measure is one row here and a
number in a job's `metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]
Subject = Literal["network", "edit"]


@dataclass(frozen=True)
class Measure:
    """One measure. `title` heads a column and carries the unit; `name` is what prose calls it."""

    key: str
    title: str
    name: str
    unit: str  # "%", "ms", "" …
    form: str  # of format(); thousands and digits
    better: Better
    of: Subject = "network"

    def text(self, value: float | None, missing: str = "") -> str:
        """A value as a cell shows it, without the unit."""
        return missing if value is None else format(value, self.form)


MEASURES: tuple[Measure, ...] = (
    Measure("similarity", "CKA", "similarity to the parent", "", ".4f", "higher", "edit"),
    Measure("val_accuracy", "val %", "validation accuracy", "%", ".2f", "higher"),
    Measure("val_accuracy_before", "val % before", "validation accuracy before recovery", "%",
            ".2f", "higher", "edit"),
    Measure("val_loss", "val loss", "validation loss", "", ".4f", "lower"),
    Measure("test_accuracy", "test %", "test accuracy", "%", ".2f", "higher"),
    Measure("macs", "MACs", "multiply-accumulates", "", ",.0f", "lower"),
    Measure("macs_reduction", "MACs −%", "multiply-accumulates removed since the root", "%", ".2f",
            "higher"),
    Measure("params", "params", "parameters", "", ",.0f", "lower"),
    Measure("latency_ms", "ms", "latency of a batch", "ms", ".2f", "lower"),
    Measure("latency_ratio", "ms ×", "latency over the parent's, measured in turns", "×", ".2f",
            "lower", "edit"),
    Measure("seconds", "s", "seconds of work", "s", ".1f", "neither"),
)  # fmt: skip
BY_KEY = {measure.key: measure for measure in MEASURES}


def measure(key: str) -> Measure:
    """The measure of a key; one that nobody described is shown by its key."""
    return BY_KEY.get(key) or Measure(key, key, key, "", ".4g", "neither")
