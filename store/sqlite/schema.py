"""A store file's marks and format, and how an older file comes to the newest one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from store.sqlite import formats

APPLICATION_ID = 0x50455850  # "PEXP"
PAGE_SIZE = 16_384
CHUNK_BYTES = 8 * 2**20

MIGRATIONS: Sequence[str] = formats.SCRIPTS
OLDEST_READABLE = formats.OLDEST_READABLE


class BrokenReferenceError(sqlite3.IntegrityError):
    """Rows of the file refer to rows that are not there, so that it cannot be migrated."""


def newest_format() -> int:
    """The format that this program writes; a file keeps its own in `user_version`."""
    return len(MIGRATIONS)


def format_of(connection: sqlite3.Connection) -> int:
    """The format of an open file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript would commit before the first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), f"unfinished SQL: {statement}"


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the newest format in one transaction: all the way, or not at all.

    Others may migrate the same file at the same time: who comes second finds it done. Raises
    sqlite3.IntegrityError where the file's rows do not keep its own rules.
    """
    if format_of(connection) >= newest_format():
        return
    enforced = connection.execute("PRAGMA foreign_keys").fetchone()[0]
    # Tables that others refer to are dropped on the way; within a transaction this has no effect.
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        connection.execute("BEGIN IMMEDIATE")
        if format_of(connection) < newest_format():
            _run_scripts(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA foreign_keys = {enforced}")


def _run_scripts(connection: sqlite3.Connection) -> None:
    for script in MIGRATIONS[format_of(connection) :]:
        for statement in statements(script):
            connection.execute(statement)
    for row in connection.execute("PRAGMA foreign_key_check"):
        raise BrokenReferenceError(
            f"a row of {row[0]} refers to a row of {row[2]} that is not there"
        )
    connection.execute(f"PRAGMA user_version = {newest_format()}")


def initialise(connection: sqlite3.Connection) -> None:
    """Make an empty file a store of the newest format, all but for its journal mode."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(connection)
