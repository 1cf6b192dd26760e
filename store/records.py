"""What a store gives out: frozen, detached values; changing what they hold changes no store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

# What JSON can hold. Numbers that are not finite are kept too (store/sqlite/canonical_json.py).
JsonValue: TypeAlias = (
    "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)
JsonObject: TypeAlias = Mapping[str, JsonValue]

Structure: TypeAlias = str  # root, or what an edit removed: layer, filter, … (a word of a-z)
Phase: TypeAlias = str  # root, recovered, tuned
State = Literal["queued", "running", "ready", "failed", "cancelled"]
PhaseSeconds: TypeAlias = dict[int, dict[Phase, float]]  # by node id
PhaseMetrics: TypeAlias = dict[int, dict[Phase, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Run:
    """One tree: a root network, its data, its settings (the newest ones), one seed."""

    id: int
    uuid: str
    name: str
    seed: int
    architecture: JsonObject
    data: JsonObject
    settings: JsonObject
    environment: JsonObject
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
    edit: JsonObject | None
    state: State
    error: str | None
    kept: bool | None
    decided_by: str | None
    metrics: dict[str, float]
    phases: tuple[Phase, ...]
    seconds: float
    created_at: str


class NodeSummary(NamedTuple):
    """A node in brief. Accuracy in percent; `kept` is None while undecided."""

    id: int
    name: str
    structure: Structure
    state: State
    kept: bool | None
    similarity: float | None
    val_accuracy: float | None
    macs: float | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """Why a parent got its candidates: criterion, scores and whatever else the proposer said."""

    id: int
    run_id: int
    parent_id: int
    content: JsonObject
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
    payload: JsonObject
    created_at: str


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch of a phase, counted from 0, with what was measured in it."""

    node_id: int
    phase: Phase
    number: int
    values: JsonObject


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured of a node's network as it was after a phase, in one way of measuring.

    `kind` says what was measured (robustness, latency, …), `settings` how. One node has of one
    phase, kind and settings one evaluation, which never changes.
    """

    id: int
    node_id: int
    phase: Phase
    kind: str
    settings: JsonObject
    metrics: dict[str, float]
    created_at: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """What people say of a node: tags in the order they came, a note, dropped or not; and whether
    its weights were freed after that."""

    tags: tuple[str, ...] = ()
    note: str | None = None
    dropped: bool = False
    freed: bool = False

    def after(self, kind: str, payload: JsonObject) -> Annotation:
        """The annotation once an event of kind tag, note, drop or freed has come."""
        if kind == "freed":
            return replace(self, freed=True)
        if kind == "tag":
            said = str(payload["tag"])
            others = tuple(tag for tag in self.tags if tag != said)
            return replace(self, tags=(*others, said) if payload["on"] else others)
        if kind == "note":
            return replace(self, note=str(payload["text"]) or None)
        return replace(self, dropped=bool(payload["on"]))


@dataclass(frozen=True, slots=True)
class FreeableResult:
    """The weights of one phase of a dropped node, or of a node below one."""

    node_id: int
    run_id: int
    name: str
    phase: Phase


@dataclass(frozen=True, slots=True)
class Freeable:
    """What can be freed: results, and the snapshots that only they need."""

    results: tuple[FreeableResult, ...]
    hashes: tuple[str, ...]
    num_bytes: int
