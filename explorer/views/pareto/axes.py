"""What can stand on the axes of the Pareto plot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.contracts.methods.similarities import called
from engine.contracts.metrics import Better
from explorer.views.published.result import PublishedResult

Of = Callable[[PublishedResult], float | None]


@dataclass(frozen=True)
class Axis:
    """One axis. `words` stand at the plot, `brief` where there is little room, `short` before a
    figure; `missing` says where the figure comes from; `published` reads it of a published result,
    where that is the same measure."""

    key: str
    words: str
    brief: str
    short: str
    form: str
    unit: str
    better: Better
    missing: str
    published: Of | None = None

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:{self.form}}".replace("-", "−") + self.unit


_TESTED = "test accuracy is measured of the root, and of a kept node once it is fine-tuned"
_MEASURED = "it is measured when a candidate has had its recovery"

Y_AXES: tuple[Axis, ...] = (
    Axis("test-change", "change of test accuracy (points)", "Δ test acc", "Δ test", "+.2f", "",
         "higher", _TESTED, lambda row: row.change),
    Axis("test", "test accuracy (%)", "test acc %", "test", ".2f", "%", "higher", _TESTED),
    Axis("val", "validation accuracy (%)", "val acc %", "val", ".2f", "%", "higher", _MEASURED),
    Axis("val-change", "change of validation accuracy (points)", "Δ val acc", "Δ val", "+.2f", "",
         "higher", _MEASURED),
    Axis("similarity", "similarity to the parent (CKA)", "CKA to parent", "CKA", ".4f", "",
         "higher", _MEASURED),
)  # fmt: skip
X_AXES: tuple[Axis, ...] = (
    Axis("macs", "MACs removed (%)", "MACs removed %", "MACs", "+.1f", "%", "higher", _MEASURED,
         lambda row: row.macs_reduction),
    Axis("params", "parameters removed (%)", "params removed %", "params", "+.1f", "%", "higher",
         _MEASURED, lambda row: row.params_reduction),
    Axis("latency", "latency over the root's (×)", "latency ×", "latency", ".2f", "×", "lower",
         "every step down to a node needs its ratio of latencies, which older trees lack"),
    Axis("epochs", "epochs of training since the root", "epochs", "trained", ".0f", " epochs",
         "lower", _MEASURED),
    Axis("depth", "steps from the root", "depth", "depth", ".0f", "", "neither", ""),
)  # fmt: skip


def called_by(axis: Axis, similarity: str) -> Axis:
    """The axis by the name of the measure that a run compares by."""
    if axis.key != "similarity" or similarity == "cka":
        return axis
    title, short = called(similarity)
    words = f"similarity to the parent ({title})"
    return replace(axis, words=words, brief=f"{title} to parent", short=short)


AXES = {axis.key: axis for axis in (*Y_AXES, *X_AXES)}
_REMOVED = ("macs", "params")


def axis_text(axis: Axis, value: float) -> str:
    """A figure of a point: what is removed has a minus, as everywhere."""
    if axis.key in _REMOVED:
        return f"{axis.short} {0.0 - value:+.1f}%".replace("-", "−")
    return f"{axis.short} {axis.text(value)}"
