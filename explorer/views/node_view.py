"""A node as commands print it and as panes show it: the NODE of every `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.json_values import JsonValue
from explorer.session.policy import Margin


@dataclass(frozen=True)
class DecisionView:
    """What was decided of a node's candidates. The margin is layer minus filter."""

    kept: tuple[str, ...]
    reason: str
    margin: Margin | None = None


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
        raise NotImplementedError
