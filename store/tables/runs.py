"""Runs as they are read, each with the settings that hold now."""

from __future__ import annotations

import sqlite3

from store.errors import UnknownRunError
from store.records import JsonObject, Run
from store.sqlite.connection import Connection
from store.tables import stored

_RUNS = """
SELECT run.*, settings.json AS settings, environment.json AS environment
FROM run
JOIN environment ON environment.hash = run.environment_hash
JOIN run_settings ON run_settings.id =
  (SELECT max(newest.id) FROM run_settings newest WHERE newest.run_id = run.id)
JOIN settings ON settings.hash = run_settings.settings_hash
"""


def every(connection: Connection) -> list[Run]:
    """All runs, the oldest first."""
    found = [_run(connection, row) for row in connection.rows(_RUNS + " ORDER BY run.id")]
    _check_documents(connection, {run.id for run in found})
    return found


def by_id(connection: Connection, run_id: int) -> Run:
    """The run of that id. Raises UnknownRunError."""
    row = connection.row(_RUNS + " WHERE run.id = ?", (run_id,))
    if row is None:
        _check_documents(connection, set(), run_id)
        known = connection.rows("SELECT id, name FROM run ORDER BY id DESC LIMIT 10")
        names = ", ".join(f"{run['id']} ({run['name']})" for run in reversed(known))
        raise UnknownRunError(
            f"the store has no run {run_id!r}; " + (f"it has {names}" if names else "it is new")
        )
    return _run(connection, row)


def latest(connection: Connection) -> Run | None:
    """The newest run, None in a new store."""
    row = connection.row(_RUNS + " ORDER BY run.id DESC LIMIT 1")
    if row is None:
        _check_documents(connection, set())
    return None if row is None else _run(connection, row)


def _check_documents(connection: Connection, whole: set[int], only: int | None = None) -> None:
    """Raises DamagedStoreError for a run that lacks its settings or environment."""
    for row in connection.rows("SELECT id FROM run ORDER BY id"):
        if row["id"] not in whole and only in (None, row["id"]):
            raise connection.damaged(f"run {row['id']} lacks its settings or its environment")


def _run(connection: Connection, row: sqlite3.Row) -> Run:
    def read(text: str, what: str) -> JsonObject:
        return stored.json_object(connection, text, f"the {what} of run {row['id']}")

    return Run(
        id=row["id"],
        uuid=row["uuid"],
        name=row["name"],
        seed=row["seed"],
        architecture=read(row["architecture"], "architecture"),
        data=read(row["data"], "data"),
        settings=read(row["settings"], "settings"),
        environment=read(row["environment"], "environment"),
        created_at=row["created_at"],
    )
