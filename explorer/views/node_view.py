"""A node as commands print it and as panes show it: the NODE of every `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.json_values import JsonValue
from explorer.session.policy import Margin

# The measures that a NODE prints, in this order, and those of them that are counts.
PRINTED = (
    "similarity", "val_accuracy", "val_accuracy_before", "test_accuracy", "macs", "params",
    "macs_reduction", "latency_ms", "latency_ratio",
)  # fmt: skip
COUNTS = ("macs", "params")


@dataclass(frozen=True)
class DecisionView:
    """What was decided of a node's candidates. The margin is layer minus filter."""

    kept: tuple[str, ...]
    reason: str
    margin: Margin | None = None

    def as_json(self) -> dict[str, JsonValue]:
        """What a NODE says of it, beside its own fields."""
        margin = self.margin
        return {
            "decision": list(self.kept),
            "reason": self.reason,
            "margin": margin.value if margin else None,
            "margin_low": margin.low if margin else None,
            "margin_high": margin.high if margin else None,
            "too_close": margin.too_close if margin else None,
        }


@dataclass(frozen=True)
class NodeView:
    """One node. `metrics` holds its measures by key, `macs_reduction` (percent of the root's)
    among them; `kept` is None while undecided; `removes` says what its edit took."""

    name: str
    parent: str | None
    structure: str
    state: str
    kept: bool | None = None
    decided_by: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    removes: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    dropped: bool = False
    freed: bool = False  # its weights are gone
    seconds: float = 0.0
    error: str | None = None
    decision: DecisionView | None = None

    @property
    def similarity(self) -> float | None:
        return self.metrics.get("similarity")

    @property
    def val_accuracy(self) -> float | None:
        return self.metrics.get("val_accuracy")

    @property
    def test_accuracy(self) -> float | None:
        return self.metrics.get("test_accuracy")

    @property
    def macs(self) -> float | None:
        return self.metrics.get("macs")

    @property
    def macs_reduction(self) -> float | None:
        return self.metrics.get("macs_reduction")

    @property
    def margin(self) -> Margin | None:
        """Of the decision on its candidates."""
        return None if self.decision is None else self.decision.margin

    def as_json(self) -> dict[str, JsonValue]:
        """The NODE that `--json` prints: flat, absent measures null."""
        value: dict[str, JsonValue] = {
            "name": self.name,
            "parent": self.parent,
            "structure": self.structure,
            "state": self.state,
            "kept": self.kept,
            "decided_by": self.decided_by,
            **{key: self._measure(key) for key in PRINTED},
            "removes": self.removes,
            "tags": list(self.tags),
            "note": self.note,
            "dropped": self.dropped,
            "freed": self.freed,
            "seconds": self.seconds,
        }
        if self.error:
            value["error"] = self.error
        if self.decision is not None:
            value |= self.decision.as_json()
        return value

    def _measure(self, key: str) -> float | None:
        value = self.metrics.get(key)
        return int(value) if value is not None and key in COUNTS else value
