"""Where two runs first went different ways, and what there is to say why."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.contracts.codec import encode_object
from engine.contracts.json_values import JsonObject, JsonValue
from engine.contracts.settings import all_settings, value_of
from explorer.session.documents import RunDocument
from explorer.views.removed import removed, stored_edit
from explorer.views.shape_fields import told, told_if_known
from store import (
    Decision,
    Node,
    Run,
    TreeStore,
)

Kind = Literal["root", "candidates", "decision", "end"]


@dataclass(frozen=True)
class Offered:
    """One of a parent's candidates in one of the runs."""

    name: str = told("its name")
    state: str = told("as of a NODE")
    removes: str | None = told("what it removes, in words")
    similarity: float | None = told("similarity to the parent")
    val_accuracy: float | None = told("validation accuracy, percent")


@dataclass(frozen=True)
class Side:
    """What one of the runs says of a parent's candidates."""

    candidates: tuple[Offered, ...] = told("what was there to be decided on")
    kept: tuple[str, ...] | None = told("what was kept; null while undecided")
    suggested: str | None = told_if_known("what the policy suggested")
    actor: str | None = told_if_known("who decided")
    reason: str | None = told_if_known("why")
    margin: float | None = told_if_known("as of a NODE")
    margin_low: float | None = told_if_known("as of a NODE")
    margin_high: float | None = told_if_known("as of a NODE")
    too_close: bool | None = told_if_known("as of a NODE")


@dataclass(frozen=True)
class Difference:
    """The first parent at which two runs differ.

    `kind`: their roots' weights differ; they were offered other candidates; they kept others;
    or one of them ends there.
    """

    parent: str = told("the parent's name")
    kind: Kind = told("in what they differ")
    sides: tuple[Side, Side] = told("what A says of it, and what B says")


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    `conditions` are settings and the like that differ: what, and both values. `agreed` are the
    parents at which both kept the same. `largest_gap` is the largest difference of similarity
    between nodes of the same name and edit on that way.
    """

    conditions: Mapping[str, tuple[JsonValue, JsonValue]]
    agreed: tuple[str, ...]
    largest_gap: float | None
    difference: Difference | None


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

    def offered(self, parent: str) -> dict[str, JsonObject | None]:
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
        candidates = tuple(_offered(node) for node in self.children.get(parent, ()))
        decision = self.decision(parent)
        if decision is None:
            return Side(candidates, None)
        return Side(
            candidates=candidates,
            kept=self.kept(parent),
            suggested=None if decision.suggested is None else self.names.get(decision.suggested),
            actor=decision.actor,
            reason=decision.reason,
            margin=decision.margin,
            margin_low=decision.margin_low,
            margin_high=decision.margin_high,
            too_close=decision.too_close,
        )


def _offered(node: Node) -> Offered:
    edit = stored_edit(node)
    return Offered(
        name=node.name,
        state=node.state,
        removes=None if edit is None else removed(edit),
        similarity=node.metrics.get("similarity"),
        val_accuracy=node.metrics.get("val_accuracy"),
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


def _conditions(one: Run, other: Run) -> dict[str, tuple[JsonValue, JsonValue]]:
    """What differs between the two that could make them differ."""
    pairs: dict[str, tuple[JsonValue, JsonValue]] = {"seed": (one.seed, other.seed)}
    sections: tuple[tuple[str, JsonObject, JsonObject], ...] = (
        ("architecture", one.architecture, other.architecture),
        ("data", one.data, other.data),
        ("settings", _settings(one), _settings(other)),
        ("environment", one.environment, other.environment),
    )
    for title, ours, theirs in sections:
        for key in sorted(ours.keys() | theirs.keys()):
            pairs[f"{title}: {key}"] = (ours.get(key), theirs.get(key))
    return {what: values for what, values in pairs.items() if values[0] != values[1]}


def _settings(run: Run) -> dict[str, JsonValue]:
    """A run's settings by the names of their options, and where it comes from."""
    document = RunDocument.of(run)
    names = [each.option.name for each in all_settings() if each.option.name != "seed"]
    origin = encode_object(document.origin)
    return {**{name: value_of(document.settings, name) for name in names}, **origin}
