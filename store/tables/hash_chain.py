"""The hash chain: a hash over each line of the log and the rows it tells of, and the hash before.

A bit that flips in them, a line that goes or comes between, no longer fits its hash, its seal.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping

from store.errors import DamagedStoreError
from store.sqlite import canonical_json, formats
from store.sqlite.connection import Connection, SqlValue

Parameters = Mapping[str, SqlValue]
Rows = Callable[[str, Parameters], list[sqlite3.Row]]
Problem = tuple[str, str, list[tuple[int, str]]]  # kind, what is wrong, with which nodes
_EVENT = "id, run_id, node_id, kind, payload, created_at"
_EVENTS = f"SELECT {_EVENT} FROM event WHERE id > :after ORDER BY id LIMIT 5000"
_SEAL = "SELECT digest FROM seal WHERE event_id = :id"

_RUN = "id, uuid, name, seed, architecture, data, environment_hash, created_at"
_NODE = "id, run_id, parent_id, proposal_id, name, structure, depth, edit, created_at"
_RESULT = "node_id, phase, snapshot_hash, seconds, resamples, digest, created_at"
_DECISION = (
    "id, run_id, parent_id, newest_candidate, suggested, actor, reason, margin, margin_low,"
    " margin_high, too_close, supersedes, created_at"
)
# The rows that an event of each kind tells of. Columns by name: a later format may add some.
_TOLD: dict[str, tuple[str, ...]] = {
    "run": (
        f"SELECT {_RUN} FROM run WHERE id = :run",
        "SELECT settings_hash, created_at FROM run_settings WHERE run_id = :run"
        " ORDER BY id LIMIT 1",
        f"SELECT {_NODE} FROM node WHERE id = :node",
        f"SELECT {_RESULT} FROM result WHERE node_id = :node AND phase = 'root'",
        "SELECT hash, num_bytes, num_chunks, created_at FROM snapshot WHERE hash ="
        " (SELECT snapshot_hash FROM result WHERE node_id = :node AND phase = 'root')",
    ),
    "candidates": (
        "SELECT id, run_id, parent_id, content, created_at FROM proposal WHERE id = :number",
        f"SELECT {_NODE} FROM node WHERE parent_id = :node AND proposal_id = :number ORDER BY id",
    ),
    "result": (
        f"SELECT {_RESULT} FROM result WHERE node_id = :node AND phase = :phase",
        "SELECT hash, num_bytes, num_chunks, created_at FROM snapshot WHERE hash ="
        " (SELECT snapshot_hash FROM result WHERE node_id = :node AND phase = :phase)",
    ),
    "decision": (
        f"SELECT {_DECISION} FROM decision WHERE id = :number",
        "SELECT node_id, parent_id FROM decision_kept WHERE decision_id = :number ORDER BY node_id",
    ),
    "evaluation": (
        "SELECT node_id, phase, kind, settings_hash, metrics, created_at FROM evaluation"
        " WHERE node_id = :node AND phase = :phase AND kind = :kind AND settings_hash = :settings",
    ),
}
# Where the payload of an event names what it tells of.
_NUMBERS = {"candidates": "proposal", "decision": "decision"}


def digest_of(rows: Rows, event: sqlite3.Row, previous: str | None) -> str:
    """The hash of an event and of what it tells of, after the hash `previous`."""
    content: list[object] = [previous, tuple(event)]
    if event["kind"] in _TOLD:
        content += [[tuple(row) for row in found] for found in _told(rows, event)]
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _told(rows: Rows, event: sqlite3.Row) -> Iterator[list[sqlite3.Row]]:
    payload = canonical_json.from_text(event["payload"])
    if not isinstance(payload, dict):
        raise ValueError("the payload of an event is an object")
    number = payload.get(_NUMBERS.get(event["kind"], ""))
    values: dict[str, SqlValue] = {
        "run": event["run_id"],
        "node": event["node_id"],
        "number": number if isinstance(number, int) else None,
    }
    for name in ("phase", "kind", "settings"):
        said = payload.get(name)
        values[name] = said if isinstance(said, str) else None
    for sql in _TOLD[event["kind"]]:
        yield rows(sql, values)


def append(connection: Connection, event_id: int) -> None:
    """Seal the line that was just appended to the log. Only inside `writing`."""
    (event,) = connection.rows(f"SELECT {_EVENT} FROM event WHERE id = ?", (event_id,))
    before = connection.row("SELECT digest FROM seal ORDER BY event_id DESC LIMIT 1")
    digest = digest_of(connection.rows, event, before["digest"] if before else None)
    connection.insert("seal", event_id=event_id, digest=digest)


def check(connection: Connection) -> None:
    """Raise DamagedStoreError where a store is not what was written: copies get new hashes."""
    with connection.reading():
        for _, text, _ in broken(connection.rows, connection.format_number()):
            raise DamagedStoreError(
                f"{connection.path} is damaged: {text}. `pe-explore verify` names all of it; "
                "restore another copy"
            )


def broken(rows: Rows, number: int) -> Iterator[Problem]:
    """Events of a store of format `number` that no longer fit their hash. Those from before there
    was a chain are not in it."""
    if number < formats.WITH_HASH_CHAIN:
        return
    first = rows("SELECT min(event_id) AS first FROM seal", {})[0]["first"]
    previous, after = None, (first or 0) - 1
    while first is not None and (events := rows(_EVENTS, {"after": after})):
        for event in events:
            seal = rows(_SEAL, {"id": event["id"]})
            after = event["id"]
            where = f"line {event['id']} of the log ({event['kind']})"
            if not seal:
                yield "seal", f"{where} has no seal", []
            elif not _fits(rows, event, previous, seal[0]["digest"]):
                yield "seal", f"{where}, or what it tells of, has changed", _nodes(rows, event)
            previous = seal[0]["digest"] if seal else previous


def _fits(rows: Rows, event: sqlite3.Row, previous: str | None, digest: str) -> bool:
    try:
        return digest_of(rows, event, previous) == digest
    except ValueError:
        return False  # the payload is no JSON any more


def _nodes(rows: Rows, event: sqlite3.Row) -> list[tuple[int, str]]:
    found = rows("SELECT run_id, name FROM node WHERE id = :id", {"id": event["node_id"]})
    return [(row["run_id"], row["name"]) for row in found]
