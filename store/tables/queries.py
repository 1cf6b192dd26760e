"""What can be asked of a store. Each answer is detached, and takes a fixed number of queries."""

from __future__ import annotations

import difflib
import json
import sqlite3
from typing import Any

from store.errors import (
    InvalidValueError,
    UnknownNodeError,
    UnknownResultError,
    UnknownRunError,
)
from store.records import (
    Decision,
    EpochRow,
    Event,
    Json,
    Node,
    Phase,
    Proposal,
    Run,
)
from store.sqlite import canonical_json as documents
from store.sqlite.connection import Connection
from store.tables import snapshots

PhaseSeconds = dict[int, dict[Phase, float]]  # by node id
PhaseMetrics = dict[int, dict[Phase, dict[str, float]]]
PHASES: tuple[Phase, ...] = ("root", "recovered", "tuned")

_RUNS = """
SELECT run.*, settings.json AS settings, environment.json AS environment
FROM run
JOIN environment ON environment.hash = run.environment_hash
JOIN run_settings ON run_settings.id =
  (SELECT max(newest.id) FROM run_settings newest WHERE newest.run_id = run.id)
JOIN settings ON settings.hash = run_settings.settings_hash
"""
_NODES = """
SELECT node.id, node.run_id, node.parent_id, node.name, node.structure, node.depth, node.edit,
  node.state, node.error, node.created_at,
  CASE
    WHEN node.parent_id IS NULL THEN 1
    WHEN node.id > coalesce(decision.newest_candidate, 0) THEN NULL
    ELSE EXISTS(SELECT 1 FROM decision_kept
                WHERE decision_id = decision.id AND node_id = node.id)
  END AS kept,
  decision.actor AS actor
FROM wanted JOIN node ON node.id = wanted.id
LEFT JOIN decision ON decision.id =
  (SELECT max(newest.id) FROM decision newest WHERE newest.parent_id = node.parent_id)
ORDER BY node.id
"""
_RESULTS = """
SELECT result.node_id, result.phase, result.seconds
FROM wanted JOIN result ON result.node_id = wanted.id
"""
_METRICS = """
SELECT metric.node_id, metric.phase, metric.name, metric.value, metric.nonfinite
FROM wanted JOIN metric ON metric.node_id = wanted.id
"""
_OF_RUN = "WITH wanted AS (SELECT id FROM node WHERE run_id = ?)"
_SPOKEN_OF = """
WITH spoken AS (SELECT node_id, kind FROM event WHERE run_id = ? AND id > ?),
wanted AS (
  SELECT node_id AS id FROM spoken WHERE node_id IS NOT NULL
  UNION
  SELECT id FROM node WHERE parent_id IN (SELECT node_id FROM spoken WHERE kind = 'candidates')
)
"""
_LINEAGE = """
WITH RECURSIVE way(id, parent_id) AS (
  SELECT id, parent_id FROM node WHERE id = ?
  UNION ALL
  SELECT node.id, node.parent_id FROM node JOIN way ON node.id = way.parent_id
)
SELECT id FROM way
"""
_LISTED = "WITH wanted AS (SELECT value AS id FROM json_each(?))"
_DECISIONS = """
SELECT decision.*,
  (SELECT json_group_array(id) FROM
    (SELECT id FROM node WHERE node.parent_id = decision.parent_id
     AND node.id <= decision.newest_candidate ORDER BY id)) AS candidates,
  (SELECT json_group_array(node_id) FROM
    (SELECT node_id FROM decision_kept WHERE decision_id = decision.id ORDER BY node_id)) AS kept
FROM decision
"""


class TreeReader:
    """The reading half of a store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        return [_run(row) for row in self._connection.rows(_RUNS + " ORDER BY run.id")]

    def run(self, run_id: int) -> Run:
        """The run of that id. Raises UnknownRunError."""
        row = self._connection.row(_RUNS + " WHERE run.id = ?", (run_id,))
        if row is None:
            known = self._connection.rows("SELECT id, name FROM run ORDER BY id DESC LIMIT 10")
            names = ", ".join(f"{run['id']} ({run['name']})" for run in reversed(known))
            raise UnknownRunError(
                f"the store has no run {run_id!r}; " + (f"it has {names}" if names else "it is new")
            )
        return _run(row)

    def latest_run(self) -> Run | None:
        """The newest run, None in a new store."""
        row = self._connection.row(_RUNS + " ORDER BY run.id DESC LIMIT 1")
        return None if row is None else _run(row)

    def settings_history(self, run_id: int) -> list[dict[str, Any]]:
        """The settings a run has had, the oldest first. Raises UnknownRunError."""
        self.run(run_id)
        rows = self._connection.rows(
            "SELECT json FROM run_settings JOIN settings ON hash = settings_hash"
            " WHERE run_id = ? ORDER BY id",
            (run_id,),
        )
        return [documents.from_text(row["json"]) for row in rows]

    def nodes(self, run_id: int) -> list[Node]:
        """The nodes of a run in the order they were made. Raises UnknownRunError."""
        self.run(run_id)
        return self._nodes(_OF_RUN, run_id)

    def newest(self, run_id: int, limit: int) -> list[Node]:
        """The `limit` newest nodes of a run in the order they were made. Raises UnknownRunError."""
        self.run(run_id)
        # Backwards through the table: an index on the run would have all of its nodes sorted.
        query = "SELECT id FROM node NOT INDEXED WHERE run_id = ? ORDER BY id DESC LIMIT ?"
        newest = [row["id"] for row in self._connection.rows(query, (run_id, limit))]
        return self._nodes(_LISTED, json.dumps(newest))

    def node(self, run_id: int, name: str) -> Node:
        """The node of that name. Raises UnknownRunError, or UnknownNodeError naming near ones."""
        found = self._nodes(
            "WITH wanted AS (SELECT id FROM node WHERE run_id = ? AND name = ?)", run_id, name
        )
        if not found:
            self.run(run_id)
            raise UnknownNodeError(
                f"run {run_id} has no node {name!r}; {self._nearest(run_id, str(name))}"
            )
        return found[0]

    def _nearest(self, run_id: int, name: str) -> str:
        rows = self._connection.rows(
            "SELECT name FROM node WHERE run_id = ? ORDER BY id DESC LIMIT 5000", (run_id,)
        )
        names = [row["name"] for row in reversed(rows)]
        near = difflib.get_close_matches(name[:200].upper(), names, n=3)
        if near:
            return "did you mean " + " or ".join(near) + "?"
        return "it has " + ", ".join(names[:10]) + (", …" if len(names) > 10 else "")

    def node_by_id(self, node_id: int) -> Node:
        """The node of that id. Raises UnknownNodeError."""
        found = self._nodes("WITH wanted AS (SELECT id FROM node WHERE id = ?)", node_id)
        if not found:
            raise UnknownNodeError(
                f"the store has no node with id {node_id!r}; take an id from nodes(run_id)"
            )
        return found[0]

    def children(self, node_id: int) -> list[Node]:
        """The candidates made from a node, in the order they were made. Raises UnknownNodeError."""
        self.node_by_id(node_id)
        return self._nodes("WITH wanted AS (SELECT id FROM node WHERE parent_id = ?)", node_id)

    def lineage(self, node_id: int) -> list[Node]:
        """The nodes from the root to the given one, both included. Raises UnknownNodeError."""
        with self._connection.reading():
            self.node_by_id(node_id)
            # Followed up once, not in each of the queries for nodes, results and metrics.
            way = [row["id"] for row in self._connection.rows(_LINEAGE, (node_id,))]
            return self._nodes(_LISTED, json.dumps(way))

    def nodes_by_phase(
        self, run_id: int, after_event: int = 0
    ) -> tuple[list[Node], PhaseSeconds, PhaseMetrics]:
        """A run's nodes as `nodes` gives them, with what each of their phases took and measured;
        only those that an event after the given one speaks of, and their new candidates.

        Raises UnknownRunError.
        """
        self.run(run_id)
        if not after_event:
            return self._nodes_by_phase(_OF_RUN, run_id)
        return self._nodes_by_phase(_SPOKEN_OF, run_id, after_event)

    def _nodes(self, wanted: str, *parameters: Any) -> list[Node]:
        return self._nodes_by_phase(wanted, *parameters)[0]

    def _nodes_by_phase(
        self, wanted: str, *parameters: Any
    ) -> tuple[list[Node], PhaseSeconds, PhaseMetrics]:
        with self._connection.reading():
            rows = self._connection.rows(wanted + _NODES, parameters)
            results = self._connection.rows(wanted + _RESULTS, parameters)
            metrics = self._connection.rows(wanted + _METRICS, parameters)
        seconds: PhaseSeconds = {}
        for node_id, phase, spent in results:
            seconds.setdefault(node_id, {})[phase] = spent
        values: PhaseMetrics = {}
        for node_id, phase, name, value, nonfinite in metrics:
            number = value if nonfinite is None else float(nonfinite)
            values.setdefault(node_id, {}).setdefault(phase, {})[name] = number
        edits = documents.from_texts([row["edit"] or "null" for row in rows])
        nodes = [
            _node(row, edit, seconds.get(row["id"], {}), values.get(row["id"], {}))
            for row, edit in zip(rows, edits, strict=True)
        ]
        return nodes, seconds, values

    def proposals(self, parent_id: int) -> list[Proposal]:
        """The proposals made for a node, the oldest first."""
        rows = self._connection.rows(
            "SELECT * FROM proposal WHERE parent_id = ? ORDER BY id", (parent_id,)
        )
        return [
            Proposal(
                id=row["id"],
                run_id=row["run_id"],
                parent_id=row["parent_id"],
                content=documents.from_text(row["content"]),
                created_at=row["created_at"],
            )
            for row in rows
        ]

    def decisions(self, run_id: int, after: int = 0) -> list[Decision]:
        """All decisions of a run with an id greater than `after`, superseded ones included, the
        oldest first."""
        return self._decisions(
            " WHERE decision.run_id = ? AND decision.id > ? ORDER BY decision.id", run_id, after
        )

    def decision(self, decision_id: int) -> Decision:
        """The decision of that id. Raises InvalidValueError."""
        for found in self._decisions(" WHERE decision.id = ?", decision_id):
            return found
        raise InvalidValueError(f"the store has no decision {decision_id!r}; see decisions(run_id)")

    def decision_of(self, parent_id: int) -> Decision | None:
        """The newest decision on a node's candidates, None while there is none."""
        newest = " WHERE decision.parent_id = ? ORDER BY decision.id DESC LIMIT 1"
        return next(iter(self._decisions(newest, parent_id)), None)

    def _decisions(self, condition: str, *parameters: Any) -> list[Decision]:
        rows = self._connection.rows(_DECISIONS + condition, parameters)
        candidates = documents.from_texts([row["candidates"] for row in rows])
        kept = documents.from_texts([row["kept"] for row in rows])
        return [_decision(*parts) for parts in zip(rows, candidates, kept, strict=True)]

    def events(self, run_id: int, after: int = 0, limit: int = -1) -> list[Event]:
        """What happened to a run, in order: events with an id greater than `after`, at most
        `limit` of them (a negative limit: all)."""
        rows = self._connection.rows(
            "SELECT * FROM event WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?",
            (run_id, after, limit),
        )
        payloads = documents.from_texts([row["payload"] for row in rows])
        return [
            Event(
                id=row["id"],
                run_id=row["run_id"],
                node_id=row["node_id"],
                kind=row["kind"],
                payload=payload,
                created_at=row["created_at"],
            )
            for row, payload in zip(rows, payloads, strict=True)
        ]

    def metrics_of(self, node_id: int, phase: Phase) -> dict[str, float]:
        """What one phase of a node measured. Raises UnknownResultError where it has none."""
        self.snapshot_hash(node_id, phase)
        rows = self._connection.rows(
            "SELECT * FROM metric WHERE node_id = ? AND phase = ? ORDER BY name", (node_id, phase)
        )
        return {row["name"]: _number(row) for row in rows}

    def epochs(self, node_id: int, phase: Phase | None = None) -> list[EpochRow]:
        """The epochs of a node's phases (or of one), in the order they were trained."""
        rows = self._connection.rows(
            "SELECT * FROM epoch WHERE node_id = ? AND phase = coalesce(?, phase)"
            " ORDER BY phase, number",  # 'recovered' comes before 'tuned' in the alphabet too
            (node_id, phase),
        )
        return [
            EpochRow(
                node_id=row["node_id"],
                phase=row["phase"],
                number=row["number"],
                values=documents.from_text(row["content"]),
            )
            for row in rows
        ]

    def resamples(self, node_id: int, phase: Phase) -> list[float] | None:
        """The similarities on the seeded resamples, None where the phase measured none.

        Raises UnknownResultError where the node has no result of the phase.
        """
        text = self._result(node_id, phase)["resamples"]
        return None if text is None else documents.from_text(text)

    def snapshot_hash(self, node_id: int, phase: Phase) -> str:
        """The address of a node's snapshot. Raises UnknownNodeError, UnknownResultError."""
        return str(self._result(node_id, phase)["snapshot_hash"])

    def has_result_of(self, snapshot_hash: str) -> bool:
        """Whether some node's result has this snapshot."""
        query = "SELECT 1 FROM result WHERE snapshot_hash = ?"
        return self._connection.row(query, (snapshot_hash,)) is not None

    def snapshot(self, snapshot_hash: str) -> bytes:
        """The bytes of a snapshot, checked. Raises UnknownSnapshotError, SnapshotDamagedError."""
        return snapshots.read(self._connection, snapshot_hash)

    def _result(self, node_id: int, phase: Phase) -> sqlite3.Row:
        row = self._connection.row(
            "SELECT * FROM result WHERE node_id = ? AND phase = ?", (node_id, phase)
        )
        if row is None:
            node = self.node_by_id(node_id)
            if phase not in PHASES:
                raise InvalidValueError(f"{phase!r} is no phase; the phases are {PHASES}")
            has = ", ".join(node.phases) or "none"
            raise UnknownResultError(
                f"node {node.name} is {node.state} and has no result of phase {phase!r}; "
                f"it has {has}"
            )
        return row


def _number(row: sqlite3.Row) -> float:
    return float(row["value"] if row["nonfinite"] is None else row["nonfinite"])


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        uuid=row["uuid"],
        name=row["name"],
        seed=row["seed"],
        architecture=documents.from_text(row["architecture"]),
        data=documents.from_text(row["data"]),
        settings=documents.from_text(row["settings"]),
        environment=documents.from_text(row["environment"]),
        created_at=row["created_at"],
    )


def _node(
    row: sqlite3.Row,
    edit: Json | None,
    seconds: dict[Phase, float],
    values: dict[Phase, dict[str, float]],
) -> Node:
    merged: dict[str, float] = {}
    for phase in PHASES:
        merged |= values.get(phase, {})
    # In one go: looking columns up by name takes longer than all the rest of it.
    (
        node_id, run_id, parent_id, name, structure, depth, _, state, error, created_at, kept, actor
    ) = row  # fmt: skip
    return Node(
        id=node_id,
        run_id=run_id,
        parent_id=parent_id,
        name=name,
        structure=structure,
        depth=depth,
        edit=edit,
        state=state,
        error=error,
        kept=None if kept is None else bool(kept),
        decided_by=actor if kept is not None else None,
        metrics=merged,
        phases=tuple(phase for phase in PHASES if phase in seconds),
        seconds=sum(seconds.values()),
        created_at=created_at,
    )


def _decision(row: sqlite3.Row, candidates: list[int], kept: list[int]) -> Decision:
    return Decision(
        id=row["id"],
        run_id=row["run_id"],
        parent_id=row["parent_id"],
        candidates=tuple(candidates),
        kept=tuple(kept),
        suggested=row["suggested"],
        actor=row["actor"],
        reason=row["reason"],
        margin=row["margin"],
        margin_low=row["margin_low"],
        margin_high=row["margin_high"],
        too_close=None if row["too_close"] is None else bool(row["too_close"]),
        supersedes=row["supersedes"],
        created_at=row["created_at"],
    )
