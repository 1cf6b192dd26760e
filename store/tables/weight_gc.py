"""Room from dropped nodes: their weights go, their rows and measurements stay."""

from __future__ import annotations

import json

from store.records import Freeable, FreeableResult, JsonObject
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection
from store.tables import annotations as node_annotations
from store.tables import events, runs, snapshots

# Of dropped nodes and all below them, results that still have weights. A node with work that
# waits or goes on below it keeps them: the work needs them.
_FREEABLE = """
WITH RECURSIVE gone(id) AS (
  SELECT value FROM json_each(?)
  UNION
  SELECT node.id FROM gone JOIN node ON node.parent_id = gone.id
)
SELECT node.id, node.run_id, node.name, result.phase, result.snapshot_hash
FROM gone JOIN node ON node.id = gone.id JOIN result ON result.node_id = node.id
LEFT JOIN freed ON freed.node_id = result.node_id AND freed.phase = result.phase
WHERE freed.node_id IS NULL AND NOT EXISTS(
  SELECT 1 FROM node child WHERE child.parent_id = node.id AND child.state IN ('queued', 'running'))
ORDER BY node.id, result.phase
"""
# The snapshots among these that nothing else needs, with their sizes. ?: [node's id, phase] pairs
_UNSHARED = """
WITH freeable(node_id, phase) AS (
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
SELECT hash, num_bytes FROM snapshot
WHERE hash IN (SELECT snapshot_hash FROM freeable JOIN result USING (node_id, phase))
AND NOT EXISTS(
  SELECT 1 FROM result LEFT JOIN freed USING (node_id, phase)
  WHERE snapshot_hash = snapshot.hash AND freed.node_id IS NULL
  AND (result.node_id, result.phase) NOT IN (SELECT node_id, phase FROM freeable))
ORDER BY hash
"""


def freeable(connection: Connection) -> Freeable:
    """What `free` would free now, in all runs."""
    with connection.reading():
        dropped = [
            node_id
            for run in runs.every(connection)
            for node_id, said in node_annotations.of_run(connection, run.id).items()
            if said.dropped
        ]
        rows = connection.rows(_FREEABLE, (json.dumps(dropped),))
        pairs = json.dumps([[row["id"], row["phase"]] for row in rows])
        unshared = connection.rows(_UNSHARED, (pairs,))
    return Freeable(
        tuple(FreeableResult(r["id"], r["run_id"], r["name"], r["phase"]) for r in rows),
        tuple(row["hash"] for row in unshared),
        sum(row["num_bytes"] for row in unshared),
    )


def free(connection: Connection) -> Freeable:
    """Frees the weights of dropped nodes and of all below them; gives what went."""
    with connection.writing():
        found = freeable(connection)
        freed: dict[int, list[FreeableResult]] = {}
        for result in found.results:
            connection.insert(
                "freed", node_id=result.node_id, phase=result.phase, created_at=timestamp()
            )
            freed.setdefault(result.node_id, []).append(result)
        for address in found.hashes:
            connection.execute(
                "INSERT OR IGNORE INTO upload(hash, created_at) VALUES (?, ?)",
                (address, timestamp()),
            )
        for node_id, results in freed.items():
            payload: JsonObject = {"node": results[0].name, "phases": [r.phase for r in results]}
            events.append(connection, results[0].run_id, "freed", payload, node_id)
    snapshots.remove_unreferenced(connection)
    return found
