"""One published result, and the check that a table of a TOML file is one."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from engine.contracts.near import did_you_mean
from explorer.views.shape_fields import told, told_if_known

Kind = Literal["primary", "rerun", "quoted"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_WORDS: Mapping[Kind, str] = {
    "primary": "measured by who proposed it",
    "rerun": "measured again by others",
    "quoted": "taken over from another paper",
}
_LONGEST_TEXT = 500
_ROUNDING = 0.06  # points: accuracies and their change are rounded apart from each other


@dataclass(frozen=True)
class PublishedResult:
    """One published pruned network: percent, and points of test accuracy against its own root."""

    network: str = told("the network, such as `resnet56`")
    dataset: str = told("the data, such as `cifar10`")
    method: str = told("who pruned it, or how")
    year: int = told("when it was published")
    structures: str = told("what was removed: `filter`, `layer`, `both`, …")
    kind: Kind = told("who measured it: `primary`, `rerun` or `quoted`")
    source: str = told("where it stands")
    delta_accuracy: float | None = told_if_known("change of test accuracy, in points")
    accuracy: float | None = told_if_known("its test accuracy, percent")
    baseline_accuracy: float | None = told_if_known("that of its root, percent")
    macs_reduction: float | None = told_if_known("multiply-accumulates removed, percent")
    params_reduction: float | None = told_if_known("parameters removed, percent")
    spread: float | None = told_if_known("standard deviation of the accuracy, in points")
    note: str | None = told_if_known("what else is to be said of it")

    @property
    def change(self) -> float | None:
        """The change of test accuracy, as it is given or as both accuracies say."""
        if self.delta_accuracy is not None:
            return self.delta_accuracy
        if self.accuracy is None or self.baseline_accuracy is None:
            return None
        return self.accuracy - self.baseline_accuracy


class WrongFieldError(ValueError):
    """A field of a table that cannot be; names it, its value, and what would be right."""


def result_of(table: Mapping[str, Any]) -> PublishedResult:
    """A table of the file as a result. Raises WrongFieldError."""
    for name in table:
        if name not in _CHECKS:
            hint = did_you_mean(name, _CHECKS).rstrip()
            known = f"known are {', '.join(_CHECKS)}"
            raise WrongFieldError(f"{name} is not a field; {hint or known}")
    for name in REQUIRED:
        if name not in table:
            raise WrongFieldError(f"{name} is missing: {_CHECKS[name].wanted}")
    found = PublishedResult(**{name: _CHECKS[name](name, table[name]) for name in table})
    _check_together(found)
    return found


def _check_together(found: PublishedResult) -> None:
    """What two fields say of each other."""
    figures = (found.change, found.accuracy, found.macs_reduction, found.params_reduction)
    if all(figure is None for figure in figures):
        raise WrongFieldError(
            "it has no figure: give delta_accuracy (points) or accuracy, and macs_reduction "
            "(percent)"
        )
    if found.delta_accuracy is None or found.accuracy is None or found.baseline_accuracy is None:
        return
    change = found.accuracy - found.baseline_accuracy
    if abs(change - found.delta_accuracy) > _ROUNDING:
        raise WrongFieldError(
            f"delta_accuracy = {found.delta_accuracy:g}, but accuracy {found.accuracy:g} less "
            f"baseline_accuracy {found.baseline_accuracy:g} is {change:+.2f}; mend one of them "
            "(a minus may be lost)"
        )


@dataclass(frozen=True)
class _Check:
    """Reads the value of a field; `wanted` says in words what it has to be."""

    wanted: str
    read: Callable[[Any], Any]  # raises ValueError

    def __call__(self, name: str, value: Any) -> Any:
        try:
            return self.read(value)
        except ValueError:
            shown = reprlib.repr(value)
            raise WrongFieldError(f"{name} = {shown}: it has to be {self.wanted}") from None


def _text() -> _Check:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST_TEXT:
            raise ValueError
        return value.strip()

    return _Check(f'text in "quotes", of at most {_LONGEST_TEXT} characters', read)


def _number(low: float, high: float, what: str) -> _Check:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        # Compared before it is converted: a whole number may be too large for a float.
        if not low <= value <= high or not math.isfinite(value):
            raise ValueError
        return float(value)

    return _Check(f"{what} from {low:g} to {high:g}", read)


def _year() -> _Check:
    def read(value: Any) -> int:
        if type(value) is not int or not 1950 <= value <= 2100:
            raise ValueError
        return value

    return _Check("a year such as 2024", read)


def _kind() -> _Check:
    def read(value: Any) -> str:
        if value not in KINDS:
            raise ValueError
        return str(value)

    return _Check(f"one of {', '.join(KINDS)}", read)


_CHECKS: Mapping[str, _Check] = {
    "network": _text(),
    "dataset": _text(),
    "method": _text(),
    "year": _year(),
    "structures": _text(),
    "kind": _kind(),
    "source": _text(),
    "delta_accuracy": _number(-100, 100, "points"),
    "accuracy": _number(0, 100, "percent"),
    "baseline_accuracy": _number(0, 100, "percent"),
    "macs_reduction": _number(-100, 100, "percent"),
    "params_reduction": _number(-100, 100, "percent"),
    "spread": _number(0, 100, "points"),
    "note": _text(),
}
REQUIRED = ("network", "dataset", "method", "year", "structures", "kind", "source")
