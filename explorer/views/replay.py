"""A run at every moment of its past: what the log tells, one moment after the other.

A moment is an event that a person would see; what a node was at a moment is looked up in its own
short history, so that any moment costs the same. Knows no textual.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from engine.contracts.metrics import measure
from explorer.session.log_payload import LogPayload, payload_of, unreadable_line
from explorer.views.node_view import NodeView
from explorer.views.removed import removed, stored_edit
from explorer.views.stored_nodes import node_view, similarity_of, with_open_margin
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
_TOLD_OF = ("run", "candidates", "result", "decision", "state", *_SAID)
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
    shown: tuple[int, NodeView] | None = None  # how often it had changed, and what it was then


class Replay:
    """A run's moments, and its nodes at each of them, while its store is open."""

    def __init__(self, store: TreeStore, run_id: int) -> None:
        self.run_id = run_id
        self._store = store
        self.moments: list[Moment] = []
        self._pasts: dict[int, _Past] = {}  # by node id, in the order they came
        self._children: dict[int, list[int]] = {}
        self._metrics: dict[int, dict[Phase, dict[str, float]]] = {}
        self._seconds: dict[int, dict[Phase, float]] = {}
        self._decisions: dict[int, Decision] = {}
        self._names: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._last_event = 0
        self._compared_by = similarity_of(store.run(run_id))
        # What a moment says of a result: by the measure's key, what it calls it.
        self._told = {
            "similarity": measure("similarity", self._compared_by).title,
            **{key: measure(key).name for key in ("val_accuracy", "test_accuracy")},
        }

    @classmethod
    def of(cls, store: TreeStore, run_id: int) -> Self:
        """The replay of a run up to now."""
        replay = cls(store, run_id)
        replay._read()
        return replay

    def extend(self) -> None:
        """Takes in what has happened since."""
        if self._store.last_event_id(self.run_id) != self._last_event:
            self._read()

    # ------------------------------------------------------------ asking

    def nodes_at(self, number: int) -> list[NodeView]:
        """The nodes at a moment, as `node_views` gives them now."""
        return [self._view(past, number) for past in self._pasts.values() if past.born <= number]

    def _view(self, past: _Past, number: int) -> NodeView:
        times = bisect_right(past.touched, number)
        if past.shown is None or past.shown[0] != times:
            past.shown = (times, self._view_anew(past, number))
        return past.shown[1]

    def _view_anew(self, past: _Past, number: int) -> NodeView:
        root = next(iter(self._pasts.values())).node
        decision = _newest(past.decisions, number)
        said = _newest(past.said, number)
        then = self._node_at(past, number)
        view = node_view(
            then, root, self._names, decision[0] if decision else None, said[0] if said else None,
            self._compared_by,
        )  # fmt: skip
        born = [self._pasts[i] for i in self._children.get(then.id, ())]
        candidates = [self._node_at(each, number) for each in born if each.born <= number]
        return with_open_margin(self._store, view, candidates)

    def _node_at(self, past: _Past, number: int) -> Node:
        """A node as it was stored at a moment."""
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
        return replace(
            node,
            state=state,
            error=error,
            kept=kept,
            decided_by=actor,
            metrics=metrics,
            phases=phases,
            seconds=sum(self._seconds.get(node_id, {}).get(phase, 0.0) for phase in phases),
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

    def _read(self) -> None:
        """Reads the log from where it was read to, and the nodes that it speaks of."""
        store = self._store
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
        past = self._pasts.get(event.node_id or 0)
        if past is None or event.kind not in _TOLD_OF:
            return
        payload, number = payload_of(event), len(self.moments)
        if event.kind == "run":
            past.born = number
            past.phases.append((number, "root"))
            self._add(event, f"opened {payload.name}", past.node.id)
        elif event.kind == "candidates":
            ids = [self._id_of(event, name) for name in payload.nodes]
            for i in ids:
                self._pasts[i].born = number
            self._add(event, _proposed(payload, [self._pasts[i].node for i in ids]), *ids)
        elif event.kind == "result":
            phase = payload.phase
            past.phases.append((number, phase))
            # With its candidates the margin changes that a parent shows.
            above = [] if past.node.parent_id is None else [past.node.parent_id]
            self._add(event, self._measured(past.node, phase), past.node.id, *above)
        elif event.kind == "decision":
            decision = self._decisions.get(payload.decision)
            if decision is None or decision.parent_id != past.node.id:
                raise unreadable_line(
                    event, f"it names decision {payload.decision}, not of its node"
                )
            past.decisions.append((number, decision))
            children = self._children.get(past.node.id, ())
            self._add(event, _decided(payload), past.node.id, *children)
        elif event.kind in _SAID:
            before = past.said[-1][1] if past.said else Annotation()
            try:
                past.said.append((number, before.after(event.kind, event.payload)))
            except KeyError as error:
                raise unreadable_line(event, f"it lacks {error}") from error
            self._add(event, _said(event.kind, payload), past.node.id)
        else:
            self._hear_state(event, payload, past)

    def _id_of(self, event: Event, name: str) -> int:
        """The id of a candidate that an event names. Raises UnreadableRowError."""
        found = self._ids.get(name)
        if found is None or self._pasts[found].node.parent_id != event.node_id:
            raise unreadable_line(event, f"it names {name!r}, no candidate of its node")
        return found

    def _hear_state(self, event: Event, payload: LogPayload, past: _Past) -> None:
        if payload.to in _STATES:
            past.states.append((len(self.moments), cast(State, payload.to), payload.error))
            text = f"{past.node.name}: {payload.to}"
            self._add(event, text + (f": {payload.error}" if payload.error else ""), past.node.id)
        elif payload.came_from in _STATES:
            past.states.append((len(self.moments), "queued", None))
            self._add(event, f"{past.node.name}: tried again", past.node.id)

    def _add(self, event: Event, text: str, *touched: int) -> None:
        node = None if event.node_id is None else self._names.get(event.node_id)
        moment = Moment(len(self.moments), event.id, event.created_at, event.kind, text, node)
        self.moments.append(moment)
        for i in touched:
            self._pasts[i].touched.append(moment.number)

    def _measured(self, node: Node, phase: Phase) -> str:
        metrics = self._metrics.get(node.id, {}).get(phase, {})
        parts = [
            f"{title} {measure(key).text(metrics[key])} {measure(key).unit}".rstrip()
            for key, title in self._told.items()
            if key in metrics
        ]
        return ", ".join([f"{node.name}: {phase}", *parts])


def _newest(history: Sequence[tuple[Any, ...]], number: int) -> tuple[Any, ...] | None:
    """The newest entry up to a moment, without its moment."""
    place = bisect_right(history, number, key=lambda entry: entry[0])
    return history[place - 1][1:] if place else None


def _proposed(payload: LogPayload, nodes: Sequence[Node]) -> str:
    offers = " and ".join(
        f"{node.name} (without {removed(edit)})"
        for node in nodes
        if (edit := stored_edit(node)) is not None
    )
    return f"{payload.parent}: proposed {offers}"


def _decided(payload: LogPayload) -> str:
    if payload.undecided:
        return f"{payload.parent}: undecided again, {payload.reason}"
    kept = " and ".join(payload.kept) or "none"
    return f"{payload.parent} → {kept} kept by {payload.actor}: {payload.reason}"


def _said(kind: str, payload: LogPayload) -> str:
    name = payload.node
    if kind == "freed":
        return f"{name}: weights freed"
    if kind == "tag":
        words = f"tagged {payload.tag}" if payload.on else f"tag {payload.tag} taken away"
        return f"{name}: {words}"
    if kind == "note":
        return f"{name}: note: {payload.text}" if payload.text else f"{name}: note removed"
    return f"{name}: dropped" if payload.on else f"{name}: brought back"
