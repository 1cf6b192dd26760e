"""Runs as they are read, each with the settings that hold now."""

from __future__ import annotations

import sqlite3

from store.errors import UnknownRunError
from store.records import Run
from store.sqlite import canonical_json
from store.sqlite.connection import Connection

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
    return [_run(row) for row in connection.rows(_RUNS + " ORDER BY run.id")]


def by_id(connection: Connection, run_id: int) -> Run:
    """The run of that id. Raises UnknownRunError."""
    row = connection.row(_RUNS + " WHERE run.id = ?", (run_id,))
    if row is None:
        known = connection.rows("SELECT id, name FROM run ORDER BY id DESC LIMIT 10")
        names = ", ".join(f"{run['id']} ({run['name']})" for run in reversed(known))
        raise UnknownRunError(
            f"the store has no run {run_id!r}; " + (f"it has {names}" if names else "it is new")
        )
    return _run(row)


def latest(connection: Connection) -> Run | None:
    """The newest run, None in a new store."""
    row = connection.row(_RUNS + " ORDER BY run.id DESC LIMIT 1")
    return None if row is None else _run(row)


def _run(row: sqlite3.Row) -> Run:
    read = canonical_json.from_object_text
    return Run(
        id=row["id"],
        uuid=row["uuid"],
        name=row["name"],
        seed=row["seed"],
        architecture=read(row["architecture"]),
        data=read(row["data"]),
        settings=read(row["settings"]),
        environment=read(row["environment"]),
        created_at=row["created_at"],
    )
