"""Every measure of a network, once: its key, its words, its unit, its form, which way is better.

Tables, cards, comparisons, filters and reports are made from these rows; a new measure is one row
here and a number in a job's `metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from engine.contracts.codec import FormatError
from engine.contracts.methods.similarities import called

Better = Literal["higher", "lower", "neither"]
Subject = Literal["network", "edit"]


@dataclass(frozen=True)
class Measure:
    """One measure, and what it is called where.

    `title` heads a column and carries the unit; `name` is what prose calls it; `label` stands
    before a value that carries the unit itself; `short` is for the narrowest places; `row` heads a
    row of a comparison (indented where it belongs to the row above); `word` is what filters call
    it, empty where they do not know it.
    """

    key: str
    title: str
    name: str
    unit: str  # "%", "ms", "" …
    form: str  # of format(); thousands and digits
    better: Better
    of: Subject = "network"
    label: str = ""
    short: str = ""
    row: str = ""
    word: str = ""

    def text(self, value: float | None, missing: str = "") -> str:
        """A value as a cell shows it, without the unit."""
        return missing if value is None else format(value, self.form)

    def change(self, difference: float) -> str:
        """A difference of two values, written as they are, with its sign."""
        return format(difference, f"+{self.form}")

    @property
    def heading(self) -> str:
        """What heads its row of a comparison."""
        return self.row or f"{self.label or self.title} {self.unit}".strip()


MEASURES: tuple[Measure, ...] = (
    Measure("similarity", "CKA", "similarity to the parent", "", ".4f", "higher", "edit",
            label="CKA", short="CKA", row="CKA to parent", word="cka"),
    Measure("similarity_second", "second", "similarity by the second measure", "", ".4f", "higher",
            "edit", label="second", row="  by the second measure"),
    Measure("val_accuracy", "val %", "validation accuracy", "%", ".2f", "higher",
            label="val acc", short="acc", word="acc"),
    Measure("val_accuracy_before", "val % before", "validation accuracy before recovery", "%",
            ".2f", "higher", "edit", row="  before recovery"),
    Measure("val_loss", "val loss", "validation loss", "", ".4f", "lower"),
    Measure("test_accuracy", "test %", "test accuracy", "%", ".2f", "higher", label="test acc"),
    Measure("macs", "MACs", "multiply-accumulates", "", ",.0f", "lower", label="MACs"),
    Measure("macs_reduction", "MACs −%", "multiply-accumulates removed since the root", "%", ".2f",
            "higher", label="MACs removed", short="MACs", word="reduction"),
    Measure("params", "params", "parameters", "", ",.0f", "lower", label="params",
            row="parameters"),
    # Milliseconds of two moments say more about the machine than about the networks.
    Measure("latency_ms", "ms", "latency of one item", "ms", ".3f", "neither", label="latency"),
    Measure("latency_ratio", "ms ×", "latency over the parent's, measured in turns", "×", ".2f",
            "lower", "edit", row="  × that of its parent"),
    Measure("latency_ratio_low", "ms × low", "lower end of that ratio's 95 % interval", "×", ".2f",
            "lower", "edit"),
    Measure("latency_ratio_high", "ms × high", "upper end of that ratio's 95 % interval", "×",
            ".2f", "lower", "edit"),
    Measure("seconds", "s", "seconds of work", "s", ",.1f", "neither", row="seconds of work"),
)  # fmt: skip


BY_KEY = {measure.key: measure for measure in MEASURES}


def measure(key: str, similarity: str = "cka") -> Measure:
    """The measure of a key; one that nobody described is shown by its key. `similarity` is the one
    that a run compares by, by which its figures are called."""
    found = BY_KEY.get(key) or Measure(key, key, key, "", ".4g", "neither")
    if key != "similarity" or similarity == "cka":
        return found
    title, short = called(similarity)
    return replace(found, title=title, label=title, short=short, row=f"{title} to parent")


def needed(metrics: Mapping[str, float], key: str, of: str) -> float:
    """A measure that has to be there. Raises FormatError, which says of what it lacks."""
    if key not in metrics:
        raise FormatError(f"{of} was stored without its {measure(key).name} ({key})")
    return metrics[key]
