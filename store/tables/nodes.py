"""Nodes as they are read: detached, and in a fixed number of queries however many there are."""

from __future__ import annotations

import difflib
import json
import sqlite3
from collections.abc import Collection
from typing import get_args

from store.errors import UnknownNodeError
from store.records import JsonObject, Node, Phase, PhaseMetrics, PhaseSeconds, State
from store.sqlite.connection import Connection, SqlValue
from store.tables import lineages, runs, stored

STATES: tuple[State, ...] = get_args(State)
PHASES: tuple[Phase, ...] = ("root", "recovered", "tuned")  # in the order of a node's life
# The same order for SQL; phases that a later program added come last.
PHASE_ORDER = "phase <> 'root', phase <> 'recovered', phase <> 'tuned', phase"

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
  UNION
  SELECT node.id, node.parent_id FROM node JOIN way ON node.id = way.parent_id
)
SELECT id FROM way
"""
_LISTED = "WITH wanted AS (SELECT value AS id FROM json_each(?))"


def of_run(connection: Connection, run_id: int) -> list[Node]:
    """The nodes of a run in the order they were made. Raises UnknownRunError."""
    return by_phase(connection, run_id)[0]


def newest(connection: Connection, run_id: int, limit: int) -> list[Node]:
    """The `limit` newest nodes of a run in the order they were made. Raises UnknownRunError."""
    runs.by_id(connection, run_id)
    # Backwards through the table: an index on the run would have all of its nodes sorted.
    query = "SELECT id FROM node NOT INDEXED WHERE run_id = ? ORDER BY id DESC LIMIT ?"
    found = [row["id"] for row in connection.rows(query, (run_id, limit))]
    return select(connection, _LISTED, json.dumps(found))


def by_name(connection: Connection, run_id: int, name: str) -> Node:
    """The node of that name. Raises UnknownRunError, or UnknownNodeError naming near ones."""
    found = select(
        connection,
        "WITH wanted AS (SELECT id FROM node WHERE run_id = ? AND name = ?)",
        run_id,
        name,
    )
    if not found:
        runs.by_id(connection, run_id)
        near = _nearest(connection, run_id, str(name))
        raise UnknownNodeError(f"run {run_id} has no node {name!r}; {near}")
    return found[0]


def by_id(connection: Connection, node_id: int) -> Node:
    """The node of that id. Raises UnknownNodeError."""
    found = select(connection, "WITH wanted AS (SELECT id FROM node WHERE id = ?)", node_id)
    if not found:
        raise UnknownNodeError(
            f"the store has no node with id {node_id!r}; take an id from nodes(run_id)"
        )
    return found[0]


def children(connection: Connection, node_id: int) -> list[Node]:
    """The candidates made from a node, in the order they were made. Raises UnknownNodeError."""
    by_id(connection, node_id)
    return select(connection, "WITH wanted AS (SELECT id FROM node WHERE parent_id = ?)", node_id)


def lineage(connection: Connection, node_id: int) -> list[Node]:
    """The nodes from the root to the given one, both included. Raises UnknownNodeError."""
    with connection.reading():
        by_id(connection, node_id)
        # Followed up once, not in each of the queries for nodes, results and metrics.
        way = [row["id"] for row in connection.rows(_LINEAGE, (node_id,))]
        found = select(connection, _LISTED, json.dumps(way))
    lineages.check_way(connection, found, node_id)
    return found


def by_phase(
    connection: Connection, run_id: int, after_event: int = 0
) -> tuple[list[Node], PhaseSeconds, PhaseMetrics]:
    """A run's nodes with what each of their phases took and measured; only those that an event
    after the given one speaks of, and their new candidates. Raises UnknownRunError."""
    runs.by_id(connection, run_id)
    if not after_event:
        found = _select_by_phase(connection, _OF_RUN, run_id)
        lineages.check_tree(connection, found[0], run_id)
        return found
    return _select_by_phase(connection, _SPOKEN_OF, run_id, after_event)


def select(connection: Connection, wanted: str, *parameters: SqlValue) -> list[Node]:
    """The nodes of a common table expression `wanted(id)`, in the order they were made."""
    return _select_by_phase(connection, wanted, *parameters)[0]


def ordered(phases: Collection[Phase]) -> tuple[Phase, ...]:
    """Phases in the order of a node's life; those that a later program added come last."""
    known = tuple(phase for phase in PHASES if phase in phases)
    return known if len(known) == len(phases) else (*known, *sorted(set(phases) - set(PHASES)))


def _select_by_phase(
    connection: Connection, wanted: str, *parameters: SqlValue
) -> tuple[list[Node], PhaseSeconds, PhaseMetrics]:
    with connection.reading():
        rows = connection.rows(wanted + _NODES, parameters)
        results = connection.rows(wanted + _RESULTS, parameters)
        metrics = connection.rows(wanted + _METRICS, parameters)
    seconds: PhaseSeconds = {}
    for node_id, phase, spent in results:
        seconds.setdefault(node_id, {})[phase] = spent
    values: PhaseMetrics = {}
    for node_id, phase, name, value, nonfinite in metrics:
        if value is None:
            value = stored.number(connection, value, nonfinite, f"{name!r} of node {node_id}")
        values.setdefault(node_id, {}).setdefault(phase, {})[name] = value
    with_edits = [row for row in rows if row["edit"] is not None]
    edits = stored.json_objects(
        connection,
        [row["edit"] for row in with_edits],
        lambda place: f"the edit of node {with_edits[place]['id']}",
    )
    edit_of = {row["id"]: edit for row, edit in zip(with_edits, edits, strict=True)}
    for row in rows:
        if row["state"] not in STATES:
            raise connection.damaged(f"node {row['id']} is in the state {row['state'][:40]!r}")
    found = [
        _node(row, edit_of.get(row["id"]), seconds.get(row["id"], {}), values.get(row["id"], {}))
        for row in rows
    ]
    return found, seconds, values


def _node(
    row: sqlite3.Row,
    edit: JsonObject | None,
    seconds: dict[Phase, float],
    values: dict[Phase, dict[str, float]],
) -> Node:
    phases = ordered(seconds)
    merged: dict[str, float] = {}
    for phase in phases:
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
        phases=phases,
        seconds=sum(seconds.values()),
        created_at=created_at,
    )


def _nearest(connection: Connection, run_id: int, name: str) -> str:
    rows = connection.rows(
        "SELECT name FROM node WHERE run_id = ? ORDER BY id DESC LIMIT 5000", (run_id,)
    )
    names = [row["name"] for row in reversed(rows)]
    near = difflib.get_close_matches(name[:200].upper(), names, n=3)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "it has " + ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
