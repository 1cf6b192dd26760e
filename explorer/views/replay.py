"""A run at every moment of its past: what the log tells, one moment after the other.

A moment is an event that a person would see; what a node was at a moment is looked up in its own
short history, so that any moment costs the same. Knows no textual.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from explorer.views.node_json import node_object, removes
from store import (
    Annotation,
    Decision,
    Event,
    Node,
    Phase,
    State,
    TreeStore,
)

_SAID = ("tag", "note", "drop", "freed")
_STATES = ("failed", "cancelled")


@dataclass(frozen=True)
class Moment:
    """One event of the log, as a person reads it."""

    number: int
    event_id: int
    created_at: str
    kind: str
    text: str
    node: str | None


@dataclass(frozen=True)
class Changes:
    """What differs between two moments: NODE objects, and names that are not there any more."""

    changed: Sequence[dict[str, Any]]
    vanished: Sequence[str]


@dataclass
class _Past:
    """A node's history: what it became, and at which moment."""

    node: Node  # as it is at the end
    born: int
    states: list[tuple[int, State, str | None]] = field(default_factory=list)
    phases: list[tuple[int, Phase]] = field(default_factory=list)
    decisions: list[tuple[int, Decision]] = field(default_factory=list)  # on its candidates
    said: list[tuple[int, Annotation]] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)  # the moments at which any of it changed
    shown: tuple[int, dict[str, Any]] | None = None  # how often it had changed, and its object


class Replay:
    """A run's moments, and its nodes at each of them."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.moments: list[Moment] = []
        self._pasts: dict[int, _Past] = {}  # by node id, in the order they came
        self._children: dict[int, list[int]] = {}
        self._touched: list[tuple[int, ...]] = []  # by moment, the ids of nodes that changed
        self._metrics: dict[int, dict[Phase, dict[str, float]]] = {}
        self._seconds: dict[int, dict[Phase, float]] = {}
        self._decisions: dict[int, Decision] = {}
        self._names: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._last_event = 0

    @classmethod
    def of(cls, store: TreeStore, run_id: int) -> Self:
        """The replay of a run up to now."""
        replay = cls(run_id)
        replay._read(store)
        return replay

    def extend(self, store: TreeStore) -> None:
        """Takes in what has happened since."""
        if store.last_event_id(self.run_id) != self._last_event:
            self._read(store)

    # ------------------------------------------------------------ asking

    def nodes_at(self, number: int) -> list[dict[str, Any]]:
        """The NODE objects at a moment, as `node_objects` gives them now. Not to be changed: the
        same ones are given out again."""
        return [self._object(i, number) for i, past in self._pasts.items() if past.born <= number]

    def changes(self, before: int, after: int) -> Changes:
        """What to change on a screen that shows the moment `before` to show `after`."""
        low, high = sorted((before, after))
        touched = {i for ids in self._touched[low + 1 : high + 1] for i in ids}
        there = sorted(i for i in touched if self._pasts[i].born <= after)
        gone = sorted(touched - set(there))
        return Changes([self._object(i, after) for i in there], [self._names[i] for i in gone])

    def _object(self, node_id: int, number: int) -> dict[str, Any]:
        past = self._pasts[node_id]
        times = bisect_right(past.touched, number)
        if past.shown is None or past.shown[0] != times:
            past.shown = (times, self._object_anew(past, number))
        return past.shown[1]

    def _object_anew(self, past: _Past, number: int) -> dict[str, Any]:
        node = past.node
        node_id = node.id
        phases = tuple(phase for at, phase in past.phases if at <= number)
        state, error = _newest(past.states, number) or ("queued", None)
        if phases:
            state, error = "ready", None
        metrics: dict[str, float] = {}
        for phase in phases:
            metrics |= self._metrics.get(node_id, {}).get(phase, {})
        kept, actor = self._word_on(node, number)
        then = replace(
            node,
            state=state,
            error=error,
            kept=kept,
            decided_by=actor,
            metrics=metrics,
            phases=phases,
            seconds=sum(self._seconds.get(node_id, {}).get(phase, 0.0) for phase in phases),
        )
        root = next(iter(self._pasts.values())).node
        decision = _newest(past.decisions, number)
        said = _newest(past.said, number)
        return node_object(
            then, root, self._names, decision[0] if decision else None, said[0] if said else None
        )

    def _word_on(self, node: Node, number: int) -> tuple[bool | None, str | None]:
        """Whether a node was kept at a moment, and by whom."""
        if node.parent_id is None:
            return True, None
        found = _newest(self._pasts[node.parent_id].decisions, number)
        if found is None or node.id not in found[0].candidates:
            return None, None
        return node.id in found[0].kept, found[0].actor

    # ------------------------------------------------------------ reading

    def _read(self, store: TreeStore) -> None:
        """Reads the log from where it was read to, and the nodes that it speaks of."""
        events = store.events(self.run_id, after=self._last_event)
        nodes, seconds, metrics = store.nodes_by_phase(self.run_id, self._last_event)
        for node in nodes:
            self._names[node.id], self._ids[node.name] = node.name, node.id
            if node.id in self._pasts:
                self._pasts[node.id].node = node
            else:
                self._pasts[node.id] = _Past(node, born=len(self.moments) + len(events))
                if node.parent_id is not None:
                    self._children.setdefault(node.parent_id, []).append(node.id)
        self._metrics |= metrics
        self._seconds |= seconds
        known = max(self._decisions, default=0)
        self._decisions |= {d.id: d for d in store.decisions(self.run_id, after=known)}
        for event in events:
            self._last_event = event.id
            self._hear(event)

    def _hear(self, event: Event) -> None:
        kind, payload = event.kind, cast(dict[str, Any], event.payload)
        number = len(self.moments)
        past = self._pasts.get(event.node_id or 0)
        if past is None:
            return
        if kind == "run":
            past.born = number
            past.phases.append((number, "root"))
            self._add(event, f"opened {payload['name']}", past.node.id)
        elif kind == "candidates":
            ids = [self._ids[name] for name in payload["nodes"]]
            for i in ids:
                self._pasts[i].born = number
            self._add(event, _proposed(payload, [self._pasts[i].node for i in ids]), *ids)
        elif kind == "result":
            past.phases.append((number, payload["phase"]))
            self._add(event, self._measured(past.node, payload["phase"]), past.node.id)
        elif kind == "decision":
            past.decisions.append((number, self._decisions[payload["decision"]]))
            self._add(event, _decided(payload), past.node.id, *self._children[past.node.id])
        elif kind in _SAID:
            before = past.said[-1][1] if past.said else Annotation()
            past.said.append((number, before.after(kind, payload)))
            self._add(event, _said(kind, payload), past.node.id)
        elif kind == "state":
            self._hear_state(event, past)

    def _hear_state(self, event: Event, past: _Past) -> None:
        payload = cast(dict[str, Any], event.payload)
        to = payload["to"]
        if to in _STATES:
            past.states.append((len(self.moments), to, payload["error"]))
            about = payload["error"] or ""
            text = f"{past.node.name}: {to}" + (f": {about}" if about else "")
            self._add(event, text, past.node.id)
        elif payload["from"] in _STATES:
            past.states.append((len(self.moments), "queued", None))
            self._add(event, f"{past.node.name}: tried again", past.node.id)

    def _add(self, event: Event, text: str, *touched: int) -> None:
        node = None if event.node_id is None else self._names.get(event.node_id)
        moment = Moment(len(self.moments), event.id, event.created_at, event.kind, text, node)
        self.moments.append(moment)
        self._touched.append(touched)
        for i in touched:
            self._pasts[i].touched.append(moment.number)

    def _measured(self, node: Node, phase: Phase) -> str:
        metrics = self._metrics.get(node.id, {}).get(phase, {})
        parts = [
            form.format(metrics[name])
            for name, form in (
                ("similarity", "CKA {:.4f}"),
                ("val_accuracy", "validation accuracy {:.2f} %"),
                ("test_accuracy", "test accuracy {:.2f} %"),
            )
            if name in metrics
        ]
        return ", ".join([f"{node.name}: {phase}", *parts])


def _newest(history: Sequence[tuple[Any, ...]], number: int) -> tuple[Any, ...] | None:
    """The newest entry up to a moment, without its moment."""
    place = bisect_right(history, number, key=lambda entry: entry[0])
    return history[place - 1][1:] if place else None


def _proposed(payload: dict[str, Any], nodes: Sequence[Node]) -> str:
    offers = " and ".join(f"{node.name} (without {removes(node.edit)})" for node in nodes)
    return f"{payload['parent']}: proposed {offers}"


def _decided(payload: dict[str, Any]) -> str:
    if payload.get("undecided"):
        return f"{payload['parent']}: undecided again, {payload['reason']}"
    kept = " and ".join(payload["kept"]) or "none"
    return f"{payload['parent']} → {kept} kept by {payload['actor']}: {payload['reason']}"


def _said(kind: str, payload: dict[str, Any]) -> str:
    name = payload["node"]
    if kind == "freed":
        return f"{name}: weights freed"
    if kind == "tag":
        return f"{name}: tagged {payload['tag']}" if payload["on"] else (
            f"{name}: tag {payload['tag']} taken away"
        )  # fmt: skip
    if kind == "note":
        return f"{name}: note: {payload['text']}" if payload["text"] else f"{name}: note removed"
    return f"{name}: dropped" if payload["on"] else f"{name}: brought back"
