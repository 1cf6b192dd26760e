"""The log: what happened to a run, line by line, each sealed with the rows that it tells of."""

from __future__ import annotations

from store.errors import InvalidValueError
from store.records import Event, JsonObject
from store.sqlite import canonical_json
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection
from store.tables import hash_chain, nodes, runs, stored


def append(
    connection: Connection, run_id: int, kind: str, payload: JsonObject, node_id: int | None
) -> int:
    """The id of a new line, after the rows that it tells of. Only inside `writing`."""
    event_id = connection.insert(
        "event",
        run_id=run_id,
        node_id=node_id,
        kind=kind,
        payload=canonical_json.object_text(payload, "payload"),
        created_at=timestamp(),
    )
    hash_chain.append(connection, event_id)
    return event_id


def add(
    connection: Connection, run_id: int, kind: str, payload: JsonObject, node_id: int | None
) -> Event:
    """A new line that tells of no row. Raises UnknownRunError, UnknownNodeError."""
    kind = canonical_json.plain_text(kind, "kind", shortest=1, longest=200)
    with connection.writing():
        runs.by_id(connection, run_id)
        if node_id is not None and nodes.by_id(connection, node_id).run_id != run_id:
            raise InvalidValueError(f"node {node_id} is not in run {run_id}; name its own run")
        return by_id(connection, run_id, append(connection, run_id, kind, payload, node_id))


def read(connection: Connection, run_id: int, after: int = 0, limit: int = -1) -> list[Event]:
    """Events with an id greater than `after`, in order, at most `limit` (negative: all)."""
    rows = connection.rows(
        "SELECT * FROM event WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?",
        (run_id, after, limit),
    )
    payloads = stored.json_objects(
        connection,
        [row["payload"] for row in rows],
        lambda place: f"line {rows[place]['id']} of the log",
    )
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


def by_id(connection: Connection, run_id: int, event_id: int) -> Event:
    """The line of that id, which has just been written. Raises DamagedStoreError."""
    found = read(connection, run_id, after=event_id - 1, limit=1)
    if not found or found[0].id != event_id:
        raise connection.damaged(f"line {event_id} of the log was written and is not found")
    return found[0]


def last_id(connection: Connection, run_id: int) -> int:
    """The newest line of a run's log; 0 in a run without any."""
    row = connection.row("SELECT max(id) AS last FROM event WHERE run_id = ?", (run_id,))
    return 0 if row is None or row["last"] is None else int(row["last"])
