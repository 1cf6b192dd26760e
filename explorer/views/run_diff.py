"""Where two runs first went different ways, and what there is to say why."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from explorer.views.node_json import removes
from store import (
    Decision,
    Node,
    Run,
    TreeStore,
)

Kind = Literal["root", "candidates", "decision", "end"]


@dataclass(frozen=True)
class Side:
    """What one of the runs says of a parent's candidates."""

    candidates: tuple[dict[str, Any], ...]
    kept: tuple[str, ...] | None  # None: undecided
    suggested: str | None = None
    actor: str | None = None
    reason: str | None = None
    margin: float | None = None
    margin_low: float | None = None
    margin_high: float | None = None
    too_close: bool | None = None


@dataclass(frozen=True)
class Difference:
    """The first parent at which two runs differ.

    `kind`: their roots' weights differ; they were offered other candidates; they kept others;
    or one of them ends there.
    """

    parent: str
    kind: Kind
    sides: tuple[Side, Side]


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    `conditions` are settings and the like that differ: what, and both values. `agreed` are the
    parents at which both kept the same. `largest_gap` is the largest difference of similarity
    between nodes of the same name and edit on that way.
    """

    conditions: Mapping[str, tuple[Any, Any]]
    agreed: tuple[str, ...]
    largest_gap: float | None
    difference: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


class _Tree:
    """One of the runs."""

    def __init__(self, store: TreeStore, run: Run) -> None:
        nodes = store.nodes(run.id)
        self.names = {node.id: node.name for node in nodes}
        self.nodes = {node.name: node for node in nodes}
        self.children: dict[str, list[Node]] = {}
        for node in nodes[1:]:
            self.children.setdefault(self.names[node.parent_id or 0], []).append(node)
        self.decisions = {self.names[d.parent_id]: d for d in store.decisions(run.id)}
        self.root_weights = store.snapshot_hash(nodes[0].id, "root")

    def decision(self, parent: str) -> Decision | None:
        found = self.decisions.get(parent)
        return found if found is not None and found.candidates else None

    def offered(self, parent: str) -> dict[str, Any]:
        """The edits that were to be decided on, by name."""
        decision = self.decision(parent)
        return {
            node.name: node.edit
            for node in self.children.get(parent, ())
            if decision is None or node.id in decision.candidates
        }

    def kept(self, parent: str) -> tuple[str, ...] | None:
        decision = self.decision(parent)
        return None if decision is None else tuple(self.names[i] for i in decision.kept)

    def side(self, parent: str) -> Side:
        candidates = tuple(
            {
                "name": node.name,
                "state": node.state,
                "removes": removes(node.edit),
                "similarity": node.metrics.get("similarity"),
                "val_accuracy": node.metrics.get("val_accuracy"),
            }
            for node in self.children.get(parent, ())
        )
        decision = self.decision(parent)
        if decision is None:
            return Side(candidates, None)
        return Side(
            candidates=candidates,
            kept=self.kept(parent),
            suggested=None if decision.suggested is None else self.names[decision.suggested],
            actor=decision.actor,
            reason=decision.reason,
            margin=decision.margin,
            margin_low=decision.margin_low,
            margin_high=decision.margin_high,
            too_close=decision.too_close,
        )


def compare_runs(first: tuple[TreeStore, Run], second: tuple[TreeStore, Run]) -> Comparison:
    """Follows both trees from the root down along what both kept, to where they part."""
    one, other = _Tree(*first), _Tree(*second)
    agreed: list[str] = []
    gaps: list[float] = []
    difference: Difference | None = None
    waiting = deque(["R"])
    while waiting and difference is None:
        parent = waiting.popleft()
        kind = _kind(one, other, parent)
        if kind is not None:
            difference = Difference(parent, kind, (one.side(parent), other.side(parent)))
        elif kept := one.kept(parent):
            agreed.append(parent)
            gaps += _gaps(one, other, parent)
            waiting.extend(kept)
    return Comparison(
        conditions=_conditions(first[1], second[1]),
        agreed=tuple(agreed),
        largest_gap=max(gaps, default=None),
        difference=difference,
    )


def _kind(one: _Tree, other: _Tree, parent: str) -> Kind | None:
    if parent == "R" and one.root_weights != other.root_weights:
        return "root"
    kept = one.kept(parent), other.kept(parent)
    if kept == (None, None):
        return None  # both end here
    if None in kept:
        return "end"
    if one.offered(parent) != other.offered(parent):
        return "candidates"
    return "decision" if kept[0] != kept[1] else None


def _gaps(one: _Tree, other: _Tree, parent: str) -> list[float]:
    pairs = [
        (node.metrics.get("similarity"), other.nodes[node.name].metrics.get("similarity"))
        for node in one.children[parent]
        if node.name in other.nodes
    ]
    return [abs(a - b) for a, b in pairs if a is not None and b is not None]


def _conditions(one: Run, other: Run) -> dict[str, tuple[Any, Any]]:
    """What differs between the two that could make them differ."""
    pairs: dict[str, tuple[Any, Any]] = {"seed": (one.seed, other.seed)}
    for title in ("architecture", "data", "settings", "environment"):
        ours, theirs = getattr(one, title), getattr(other, title)
        for key in sorted(ours.keys() | theirs.keys()):
            pairs[f"{title}: {key}"] = (ours.get(key), theirs.get(key))
    return {what: values for what, values in pairs.items() if values[0] != values[1]}
