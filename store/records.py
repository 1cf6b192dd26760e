"""What a store gives out: frozen, detached values; changing what they hold changes no store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Json = dict[str, Any]
Structure = Literal["root", "layer", "filter", "head"]
State = Literal["queued", "running", "ready", "failed", "cancelled"]
Phase = Literal["root", "recovered", "tuned"]


@dataclass(frozen=True, slots=True)
class Run:
    """One tree: a root network, its data, its settings (the newest ones), one seed."""

    id: int
    uuid: str
    name: str
    seed: int
    architecture: Json
    data: Json
    settings: Json
    environment: Json
    created_at: str


@dataclass(frozen=True, slots=True)
class Node:
    """A network in the tree.

    `edit` is what was removed from the parent (None for the root). `kept` is the newest decision's
    word, None while there is none. `metrics` merges the phases: tuned over recovered over root.
    `seconds` sums the time spent on its finished phases.
    """

    id: int
    run_id: int
    parent_id: int | None
    name: str
    structure: Structure
    depth: int
    edit: Json | None
    state: State
    error: str | None
    kept: bool | None
    decided_by: str | None
    metrics: dict[str, float]
    phases: tuple[Phase, ...]
    seconds: float
    created_at: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Why a parent got its candidates: criterion, scores and whatever else the proposer said."""

    id: int
    run_id: int
    parent_id: int
    content: Json
    created_at: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Which candidates of a parent are kept, by whom and why.

    `candidates` are the ids it decided on, `kept` those it keeps, in order of creation. The
    margins are differences of similarity (layer minus filter), with their 95 % interval.
    """

    id: int
    run_id: int
    parent_id: int
    candidates: tuple[int, ...]
    kept: tuple[int, ...]
    suggested: int | None
    actor: str
    reason: str
    margin: float | None
    margin_low: float | None
    margin_high: float | None
    too_close: bool | None
    supersedes: int | None
    created_at: str


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a run, in the order of ids."""

    id: int
    run_id: int
    node_id: int | None
    kind: str
    payload: Json
    created_at: str


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch of a phase, counted from 0, with what was measured in it."""

    node_id: int
    phase: Phase
    number: int
    values: Json


@dataclass(frozen=True, slots=True)
class Annotation:
    """What people say of a node: tags in the order they came, a note, dropped or not; and whether
    its weights were freed after that."""

    tags: tuple[str, ...] = ()
    note: str | None = None
    dropped: bool = False
    freed: bool = False

    def after(self, kind: str, payload: Json) -> Annotation:
        """The annotation once an event of kind tag, note, drop or freed has come."""
        if kind == "freed":
            return replace(self, freed=True)
        if kind == "tag":
            others = tuple(tag for tag in self.tags if tag != payload["tag"])
            return replace(self, tags=(*others, payload["tag"]) if payload["on"] else others)
        if kind == "note":
            return replace(self, note=payload["text"] or None)
        return replace(self, dropped=bool(payload["on"]))
