"""One connection to a store file: checked before it is trusted, transactions, typed errors."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from store.errors import (
    ReadOnlyStoreError,
    StoreClosedError,
    StoreNotFoundError,
    StoreNotWritableError,
    translated,
)
from store.sqlite import file_checks as checks
from store.sqlite import schema
from store.sqlite.writer_lock import WriterLock

Parameters = Sequence[Any] | Mapping[str, Any]
_BUSY_MILLISECONDS = 5_000
_WAL_BYTES_KEPT = 64 * 2**20


class Connection:
    """The only way from the store's code to SQLite. May be shared between threads."""

    def __init__(self, path: Path, *, read_only: bool, create: bool) -> None:
        """Open `path`, for writing after taking the writer's lock and migrating.

        Raises the typed errors of `file_checks` and `writer_lock`; a refused file is left as it is.
        """
        self.path = path
        self.read_only = read_only
        self._mutex = threading.RLock()
        self._lock = None if read_only else _writer_lock(path, create=create)
        self._sqlite: sqlite3.Connection | None = None
        try:
            if create and not path.exists():
                _create(path)
            checks.check_header(path)
            with self._translating():
                self._sqlite = _checked_reader(path, read_only=read_only)
                if not read_only:
                    self._sqlite.close()
                    self._sqlite = _writer(path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file and release the lock. Closing twice is the same as once."""
        with self._mutex:
            if self._sqlite is not None:
                self._sqlite.close()
                self._sqlite = None
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _open_sqlite(self) -> sqlite3.Connection:
        if self._sqlite is None:
            raise StoreClosedError(f"{self.path} was closed; open it again with TreeStore.open")
        return self._sqlite

    def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._mutex, self._translating():
            return self._open_sqlite().execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """The first row of a query, None where there is none."""
        with self._mutex, self._translating():
            row: sqlite3.Row | None = self._open_sqlite().execute(sql, parameters).fetchone()
            return row

    def insert(self, table: str, **columns: Any) -> int:
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
        with self._transaction("BEGIN IMMEDIATE"):
            yield

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
                f"{self.path} was opened for reading; open it without read_only=True to change it"
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

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise_translated(error, self.path)


def raise_translated(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> NoReturn:
    """Raise the typed error for what SQLite reported."""
    explained = translated(error, path)
    if explained is error:
        raise error
    raise explained from error


def connect(path: Path, query: str) -> sqlite3.Connection:
    """A plain connection to an existing file, with what each of ours needs."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{query}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_MILLISECONDS / 1000,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, not even from a folder where nothing can be written."""
    connection = connect(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        # SQLite wants -wal and -shm files beside the store. Where they cannot be made nobody can
        # be writing either, unless a -wal is left over: its content must not be passed over.
        wal = checks.wal_path(path)
        if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
            raise
        connection = connect(path, "mode=ro&immutable=1")
    return connection


def _checked_reader(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = reader(path)
    try:
        checks.check_content(connection, path, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _writer(path: Path) -> sqlite3.Connection:
    if not os.access(path, os.W_OK):
        raise StoreNotWritableError(
            f"{path} may not be written to. Open it with read_only=True, or change its permissions"
        )
    connection = connect(path, "mode=rw")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
        schema.migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _writer_lock(path: Path, *, create: bool) -> WriterLock:
    if not path.exists():
        if not create:
            checks.check_exists(path)
        if not path.parent.is_dir():
            raise StoreNotFoundError(
                f"cannot make {path}: the folder {path.parent} does not exist. Make it first"
            )
    else:
        checks.check_header(path)  # a foreign file gets no lock file beside it
    return WriterLock(path)


def _create(path: Path) -> None:
    """A new store, there in one step: written under another name, then renamed."""
    unfinished = path.with_name(path.name + ".new")
    try:
        unfinished.unlink(missing_ok=True)
        connection = sqlite3.connect(unfinished, isolation_level=None)
        try:
            schema.initialise(connection)
        finally:
            connection.close()
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except sqlite3.Error as error:
        raise_translated(error, path)
