"""One connection to a store file: checked before it is trusted, transactions, typed errors."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from store.errors import (
    DamagedStoreError,
    ReadOnlyStoreError,
    StoreClosedError,
    damaged_rows,
    translated,
)
from store.sqlite import file_checks as checks
from store.sqlite import schema
from store.sqlite.bounds import BoundedConnection
from store.sqlite.typed_rows import wrong_column
from store.sqlite.writer_lock import WriterLock

SqlValue = str | int | float | bytes | memoryview | None
Parameters = Sequence[SqlValue] | Mapping[str, SqlValue]
_BUSY_MILLISECONDS = 5_000


class Connection:
    """The only way from the store's code to SQLite. May be shared between threads."""

    def __init__(
        self,
        path: Path,
        opened: sqlite3.Connection,
        *,
        read_only: bool,
        lock: WriterLock | None = None,
    ) -> None:
        """A file that was opened and checked (`store_file`), with the lock that is held for it."""
        self.path = path
        self.read_only = read_only
        self._mutex = threading.RLock()
        self._sqlite: sqlite3.Connection | None = opened
        self._lock = lock

    def close(self, *, keep_lock: bool = False) -> None:
        """Close the file and release the lock. Closing twice is the same as once."""
        with self._mutex:
            if self._sqlite is not None:
                self._sqlite.close()
                self._sqlite = None
            # Only now: closing the lock's descriptor drops the locks that SQLite has on the file.
            if self._lock is not None and not keep_lock:
                self._lock.release()
            self._lock = None

    def _open_sqlite(self) -> sqlite3.Connection:
        if self._sqlite is None:
            raise StoreClosedError(f"{self.path} was closed; open it again with TreeStore.open")
        return self._sqlite

    def format_number(self) -> int:
        """The format of the file: an older one where it was opened for reading only."""
        with self._mutex, self._translating():
            return schema.format_of(self._open_sqlite())

    def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._mutex, self._translating():
            cursor = self._open_sqlite().execute(sql, parameters)
            found = cursor.fetchall()
        self._check_types(cursor, found)
        return found

    def row(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """The first row of a query, None where there is none."""
        with self._mutex, self._translating():
            cursor = self._open_sqlite().execute(sql, parameters)
            row: sqlite3.Row | None = cursor.fetchone()
        if row is not None:
            self._check_types(cursor, [row])
        return row

    def damaged(self, what: str) -> DamagedStoreError:
        """The error for rows that cannot be what was stored, as `what` says of them."""
        return damaged_rows(self.path, what)

    def _check_types(self, cursor: sqlite3.Cursor, rows: Sequence[sqlite3.Row]) -> None:
        columns = [column[0] for column in cursor.description or ()]
        if (wrong := wrong_column(columns, rows)) is not None:
            raise self.damaged(f"a value in a column {wrong!r} is of another type than it declares")

    def insert(self, table: str, **columns: SqlValue) -> int:
        """The id of a new row. Only inside `writing`."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        with self._mutex, self._translating():
            cursor = self._open_sqlite().execute(
                f"INSERT INTO {table}({names}) VALUES ({marks})", tuple(columns.values())
            )
            return cursor.lastrowid or 0

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """The number of rows a statement changed. Only inside `writing`."""
        with self._mutex, self._translating():
            return self._open_sqlite().execute(sql, parameters).rowcount

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Queries that see one and the same state of the store."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One write transaction: all of it is stored, or nothing.

        Raises ReadOnlyStoreError, StoreFullError, StoreLockedError, …
        """
        self._check_writable()
        try:
            with self._transaction("BEGIN IMMEDIATE"):
                yield
        except sqlite3.IntegrityError as error:
            # Every value is checked before it is written: only what is there already, or an index
            # that lies, can break a rule.
            what = f"what it holds breaks its own rules ({error})"
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                what = "a row in it belongs to one that is not there"
            raise self.damaged(what) from error

    @contextmanager
    def writing_ahead(self) -> Iterator[None]:
        """A write transaction that is on disk for certain once the next one of `writing` is.

        A power failure before that loses all of it; it tears nothing. Raises as `writing`, of
        which it is a part where one is open.
        """
        with self._mutex:  # so that nobody else's transaction is of this kind
            if self._open_sqlite().in_transaction:
                yield
                return
            self.execute("PRAGMA synchronous = NORMAL")
            try:
                with self.writing():
                    yield
            finally:
                self.execute("PRAGMA synchronous = FULL")

    def vacuum(self) -> None:
        """Write the file anew without its unused pages."""
        self._check_writable()
        with self._mutex, self._translating():
            connection = self._open_sqlite()
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _check_writable(self) -> None:
        if self.read_only:
            self._open_sqlite()
            raise ReadOnlyStoreError(
                f"{self.path} was opened for reading; to change it, open it for writing"
            )

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._mutex, self._translating():
            connection = self._open_sqlite()
            if connection.in_transaction:
                yield  # inside another one, and part of it
                return
            connection.execute(begin)
            try:
                yield
                connection.execute("COMMIT")
            finally:
                # A full disk makes SQLite roll back by itself; other errors leave it to us.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _translating(self) -> AbstractContextManager[None]:
        return translating(self.path)


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """What SQLite reports of the file is raised as a typed error."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise_translated(error, path)


def raise_translated(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> NoReturn:
    """Raise the typed error for what SQLite reported."""
    explained = translated(error, path)
    if explained is error:
        raise error
    raise explained from error


def connect(path: Path, query: str) -> sqlite3.Connection:
    """A connection to a file, with the bounds that each of ours has."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{query}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_MILLISECONDS / 1000,
        factory=BoundedConnection,
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.bound(path)
    except BaseException:
        connection.close()
        raise
    return connection


def reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, not even from a folder where nothing can be written."""
    connection = connect(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except BaseException as error:
        connection.close()  # whatever a damaged file makes of its schema
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        # SQLite wants -wal and -shm files beside the store. Where they cannot be made nobody can
        # be writing either, unless a -wal is left over: its content must not be passed over.
        wal = checks.wal_path(path)
        if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
            raise
        connection = connect(path, "mode=ro&immutable=1")
    return connection
