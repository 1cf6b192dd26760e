"""What a first screen shows of a run's nodes, however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from store.records import NodeSummary
from store.sqlite.connection import Connection

CHUNK_NODES = 20_000

_SUMMARIES = """
SELECT node.id, node.name, node.structure, node.state, outline.kept, outline.similarity,
  outline.val_accuracy, outline.macs
FROM node JOIN outline ON outline.node_id = node.id
"""
# What the table `outline` must hold, from everything else. Its triggers keep it true: what a later
# phase measured stands in the place of what an earlier one did.
_NEWEST_PHASE = "phase = 'root', phase = 'recovered', phase = 'tuned', phase DESC"
DERIVED = f"""
SELECT node.id,
  CASE
    WHEN node.parent_id IS NULL THEN 1
    WHEN node.id > coalesce(decision.newest_candidate, 0) THEN NULL
    ELSE EXISTS(SELECT 1 FROM decision_kept
                WHERE decision_id = decision.id AND node_id = node.id)
  END,
  (SELECT value FROM metric WHERE metric.node_id = node.id AND name = 'similarity'
   ORDER BY {_NEWEST_PHASE} LIMIT 1),
  (SELECT value FROM metric WHERE metric.node_id = node.id AND name = 'val_accuracy'
   ORDER BY {_NEWEST_PHASE} LIMIT 1),
  (SELECT value FROM metric WHERE metric.node_id = node.id AND name = 'macs'
   ORDER BY {_NEWEST_PHASE} LIMIT 1)
FROM node LEFT JOIN decision ON decision.id =
  (SELECT max(newest.id) FROM decision newest WHERE newest.parent_id = node.parent_id)
"""
# From the root down along every parent's newest kept child, with the siblings on the way. UNION
# ends where rows lead in a circle.
_KEPT_PATH = """
WITH RECURSIVE path(id) AS (
  SELECT id FROM node WHERE run_id = :run_id AND name = 'R'
  UNION
  SELECT (SELECT max(node.id) FROM node JOIN outline ON outline.node_id = node.id
          WHERE node.parent_id = path.id AND outline.kept = 1)
  FROM path WHERE path.id IS NOT NULL
)
"""
_ABOVE = """
WITH RECURSIVE above(id) AS (
  SELECT parent_id FROM node NOT INDEXED WHERE run_id = ? AND id > ? AND parent_id <= ?
  UNION
  SELECT node.parent_id FROM node JOIN above ON node.id = above.id
  WHERE node.parent_id IS NOT NULL
)
"""


def after(connection: Connection, run_id: int, after_id: int = 0) -> Iterator[list[NodeSummary]]:
    """A run's nodes with ids above `after_id` in the order they were made, some thousands at a
    time."""
    while rows := connection.rows(
        _SUMMARIES + " WHERE node.run_id = ? AND node.id > ? ORDER BY node.id LIMIT ?",
        (run_id, after_id, CHUNK_NODES),
    ):
        yield [_summary(row) for row in rows]
        after_id = rows[-1]["id"]


def kept_path(connection: Connection, run_id: int, most: int = CHUNK_NODES) -> list[NodeSummary]:
    """The nodes of the kept path with their siblings, parents first; at most `most`."""
    rows = connection.rows(
        _KEPT_PATH + _SUMMARIES + " WHERE node.id = (SELECT id FROM path) OR node.parent_id IN"
        " (SELECT id FROM path WHERE id IS NOT NULL LIMIT :most) ORDER BY node.id",
        {"run_id": run_id, "most": most},
    )
    return [_summary(row) for row in rows]


def newest(connection: Connection, run_id: int, count: int) -> Iterator[list[NodeSummary]]:
    """The newest nodes of a run, about so many, with all above them; parents come first."""
    row = connection.row(
        "SELECT id FROM node NOT INDEXED WHERE run_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
        (run_id, count),
    )
    last = 0 if row is None else int(row["id"])
    above = connection.rows(
        _ABOVE + _SUMMARIES + " JOIN above ON above.id = node.id ORDER BY node.id",
        (run_id, last, last),
    )
    yield [_summary(row) for row in above]
    yield from after(connection, run_id, last)


def measured(connection: Connection, run_id: int, metric: str, most: int) -> dict[str, float]:
    """A metric by the names of the newest nodes that have it, as their last phase measured it."""
    rows = connection.rows(
        "SELECT node.name, metric.value FROM metric JOIN node ON node.id = metric.node_id"
        f" WHERE node.run_id = ? AND metric.name = ? ORDER BY node.id DESC, {_NEWEST_PHASE}"
        " LIMIT ?",
        (run_id, metric, most),
    )
    # Of a node's phases the last one comes first, and that one stands.
    return {str(row["name"]): float(row["value"]) for row in reversed(rows)}


def epochs_trained(connection: Connection, run_id: int) -> dict[str, int]:
    """How many epochs each node was trained for itself, in all its phases; those without any are
    left out."""
    rows = connection.rows(
        "SELECT node.name, count(*) AS epochs FROM node JOIN epoch ON epoch.node_id = node.id"
        " WHERE node.run_id = ? GROUP BY node.id",
        (run_id,),
    )
    return {str(row["name"]): int(row["epochs"]) for row in rows}


def tip(connection: Connection, run_id: int) -> int:
    """The id of the last node of the kept path."""
    row = connection.row(_KEPT_PATH + "SELECT max(id) AS tip FROM path", {"run_id": run_id})
    if row is None or row["tip"] is None:
        raise connection.damaged(f"run {run_id} has no root")
    return int(row["tip"])


def open_parents(connection: Connection, run_id: int) -> list[int]:
    """The ids of parents whose candidates are done and not all decided on, in order."""
    rows = connection.rows(
        "SELECT node.parent_id AS id FROM outline JOIN node ON node.id = outline.node_id"
        " WHERE node.run_id = ? AND outline.kept IS NULL AND node.parent_id IS NOT NULL"
        " GROUP BY node.parent_id HAVING sum(node.state = 'ready') > 0"
        " AND sum(node.state IN ('queued', 'running')) = 0 ORDER BY node.parent_id",
        (run_id,),
    )
    return [row["id"] for row in rows]


def num_nodes(connection: Connection, run_id: int) -> int:
    """How many nodes a run has."""
    row = connection.row("SELECT count(*) AS n FROM node WHERE run_id = ?", (run_id,))
    return 0 if row is None else int(row["n"])


def unfinished(connection: Connection, run_id: int) -> list[int]:
    """The ids of nodes whose work waits or was under way, and of nodes kept lately that are
    not tuned and have no candidates yet, in order."""
    waiting = connection.rows(
        "SELECT id FROM node WHERE run_id = ? AND state IN ('queued', 'running') ORDER BY id",
        (run_id,),
    )
    untuned = connection.rows(
        "SELECT node_id AS id FROM decision_kept JOIN (SELECT id FROM decision"
        " WHERE run_id = ? ORDER BY id DESC LIMIT 100) AS newest"
        " ON newest.id = decision_kept.decision_id"
        " JOIN outline USING (node_id) WHERE outline.kept = 1"
        " AND NOT EXISTS(SELECT 1 FROM result WHERE result.node_id = decision_kept.node_id"
        "                AND phase = 'tuned')"
        " AND NOT EXISTS(SELECT 1 FROM node WHERE parent_id = decision_kept.node_id)",
        (run_id,),
    )
    return sorted({row["id"] for row in (*waiting, *untuned)})


def _summary(row: sqlite3.Row) -> NodeSummary:
    node_id, name, structure, state, kept, similarity, val_accuracy, macs = row
    word = None if kept is None else bool(kept)
    return NodeSummary(node_id, name, structure, state, word, similarity, val_accuracy, macs)
