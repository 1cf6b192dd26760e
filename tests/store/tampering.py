"""Stores as somebody could make them who wants to mislead: rows changed behind every rule, and the
schema afterwards what it was, to the letter; or a schema with something foreign in it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RULES = re.compile(r" STRICT,?|(?<!IS) NOT NULL")


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """A plain connection; what it did is in the file afterwards."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    try:
        yield connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _rewrite(path: Path, statements: dict[str, str]) -> None:
    """Gives tables other SQL than they were made with, as only a tamperer does."""
    with raw(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for name, sql in statements.items():
            update = "UPDATE sqlite_master SET sql = ? WHERE name = ? AND type = 'table'"
            connection.execute(update, (sql, name))
        version = connection.execute("PRAGMA schema_version").fetchone()[0]
        connection.execute(f"PRAGMA schema_version = {version + 1}")


@contextmanager
def tampered(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that no trigger, check, type or reference stops; the schema comes back."""
    with raw(path) as connection:
        objects = "SELECT name, sql FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%'"
        tables = dict(connection.execute(objects, ("table",)).fetchall())
        triggers = connection.execute(objects, ("trigger",)).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
    _rewrite(path, {name: _RULES.sub("", sql) for name, sql in tables.items()})
    with raw(path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        yield connection
    _rewrite(path, tables)
    with raw(path) as connection:
        for _, sql in triggers:
            connection.execute(sql)


def tamper(path: Path, *statements: str) -> None:
    """Runs statements that no rule of the store stops."""
    with tampered(path) as connection:
        for statement in statements:
            connection.execute(statement)


def beyond_checks(path: Path) -> None:
    """Makes a store look so long that opening it checks no pages: its log seems to go on."""
    with tampered(path) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 50000 WHERE name = 'event'")
        columns = "run_id, node_id, kind, payload, created_at"
        connection.execute(
            f"INSERT INTO event(id, {columns}) SELECT 50000, {columns} FROM event LIMIT 1"
        )
