"""Evaluations: what was measured of a node's network beside its own phases; never changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from store.errors import EvaluatedError
from store.records import Evaluation, JsonObject, Phase
from store.sqlite import canonical_json, formats
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection
from store.tables import documents, events, node_results, nodes, stored

_EVALUATIONS = """
SELECT evaluation.*, settings.json AS settings FROM evaluation
JOIN settings ON settings.hash = evaluation.settings_hash
"""


def add(
    connection: Connection,
    node_id: int,
    phase: Phase,
    kind: str,
    settings: JsonObject,
    metrics: Mapping[str, float],
) -> Evaluation:
    """An evaluation of what a phase of the node produced. The same again changes nothing."""
    kind = canonical_json.plain_text(kind, "kind", shortest=1, longest=200)
    settings_text = canonical_json.object_text(settings, "settings")
    measured = canonical_json.object_text(node_results.checked_metrics(metrics), "metrics")
    key = (node_id, phase, kind, canonical_json.text_hash(settings_text))
    with connection.writing():
        node_results.row_of(connection, node_id, phase)
        node, former = nodes.by_id(connection, node_id), _row(connection, key)
        if former is None:
            address = documents.keep(connection, "settings", settings_text)
            connection.insert(
                "evaluation",
                node_id=node_id,
                phase=phase,
                kind=kind,
                settings_hash=address,
                metrics=measured,
                created_at=timestamp(),
            )
            payload: JsonObject = {
                "node": node.name, "phase": phase, "kind": kind, "settings": address
            }  # fmt: skip
            events.append(connection, node.run_id, "evaluation", payload, node_id)
        elif former["metrics"] != measured:
            raise EvaluatedError(
                f"node {node.name} ({phase}) was evaluated already: {kind} with the same settings "
                f"measured {former['metrics'][:200]}, not {measured[:200]}. Evaluations never "
                "change; give other settings (a seed, a date) to measure again"
            )
        found = _row(connection, key)
        if found is None:  # it was there or has just been written
            raise connection.damaged("an evaluation was written and is not found")
        return _evaluation(connection, found)


def of_node(connection: Connection, node_id: int) -> list[Evaluation]:
    """A node's evaluations, the oldest first; none in a store of an older format."""
    nodes.by_id(connection, node_id)
    if connection.format_number() < formats.WITH_EVALUATIONS:
        return []
    rows = connection.rows(
        _EVALUATIONS + " WHERE evaluation.node_id = ? ORDER BY evaluation.id", (node_id,)
    )
    return [_evaluation(connection, row) for row in rows]


def _row(connection: Connection, key: tuple[int, Phase, str, str]) -> sqlite3.Row | None:
    return connection.row(
        _EVALUATIONS + " WHERE node_id = ? AND phase = ? AND kind = ? AND settings_hash = ?", key
    )


def _evaluation(connection: Connection, row: sqlite3.Row) -> Evaluation:
    where = f"evaluation {row['id']}"
    return Evaluation(
        id=row["id"],
        node_id=row["node_id"],
        phase=row["phase"],
        kind=row["kind"],
        settings=stored.json_object(connection, row["settings"], f"the settings of {where}"),
        metrics=stored.measured(connection, row["metrics"], f"the metrics of {where}"),
        created_at=row["created_at"],
    )
