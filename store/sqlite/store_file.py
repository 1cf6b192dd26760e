"""A store's file: opened after it was checked, or made so that it is there in one step."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from store.errors import (
    DamagedStoreError,
    StoreExistsError,
    StoreNotFoundError,
    StoreNotWritableError,
)
from store.sqlite import file_checks, new_file, schema
from store.sqlite.connection import Connection, connect, reader, translating
from store.sqlite.writer_lock import WriterLock

Fill = Callable[[Connection], object]
_WAL_BYTES_KEPT = 64 * 2**20


def open_to_read(path: Path) -> Connection:
    """The store at `path`. Raises the typed errors of `file_checks`."""
    file_checks.check_header(path)
    with translating(path):
        return Connection(path, _checked_reader(path, read_only=True), read_only=True)


def open_to_write(path: Path, *, create: bool = False) -> Connection:
    """The store at `path`, of the newest format; with `create`, an empty one where there is none.

    The writer's lock is taken first. Raises the typed errors of `file_checks` and `writer_lock`; a
    refused file is left as it is.
    """
    lock = lock_path(path, create=create)
    try:
        if create and not path.exists():
            return create_locked(path, lock, lambda connection: None)
        return open_locked(path, lock)
    except BaseException:
        lock.release()
        raise


def create_filled(path: Path, fill: Fill) -> Connection:
    """A new store that is there once `fill` has written to it, or not at all.

    `fill` gets a connection to the unfinished file. Of two processes that create the same store,
    one gets StoreLockedError, or StoreExistsError once the other is done.
    """
    if path.exists():
        raise _exists(path)
    lock = lock_path(path, create=True)
    try:
        return create_locked(path, lock, fill)
    except BaseException:
        lock.release()
        raise


def lock_path(path: Path, *, create: bool) -> WriterLock:
    """The right to write to `path`; with `create` also where there is no file yet."""
    if not path.exists():
        if not create:
            file_checks.check_exists(path)
        if not path.parent.is_dir():
            raise StoreNotFoundError(
                f"cannot make {path}: the folder {path.parent} does not exist. Make it first"
            )
    else:
        file_checks.check_header(path)  # a foreign file gets no lock file beside it
    return WriterLock(path)


def open_locked(path: Path, lock: WriterLock) -> Connection:
    """The store at `path`, for whose writing a lock is held; closing it releases the lock."""
    file_checks.check_header(path)
    lock.hold_file()
    with translating(path):
        _checked_reader(path, read_only=False).close()
        return Connection(path, _writer(path), read_only=False, lock=lock)


def create_locked(path: Path, lock: WriterLock, fill: Fill) -> Connection:
    """A new store as `create_filled` makes it, where the lock is held already."""
    if path.exists():
        raise _exists(path)
    _make(path, fill)
    return open_locked(path, lock)


def _exists(path: Path) -> StoreExistsError:
    return StoreExistsError(f"{path} is there already; open it, or name another file")


def _checked_reader(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = reader(path)
    try:
        file_checks.check_content(connection, path, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _writer(path: Path) -> sqlite3.Connection:
    if not os.access(path, os.W_OK):
        raise StoreNotWritableError(
            f"{path} may not be written to. It can be looked at where it is (pe-explore log, show, "
            "replay); to go on, change its permissions, or copy it to a folder of yours"
        )
    # What a process that died while it made this store has left, the lock is ours.
    if file_checks.is_unfinished_store(_unfinished(path)):
        new_file.remove(_unfinished(path))
    connection = connect(path, "mode=rw")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    try:
        schema.migrate(connection)
    except sqlite3.IntegrityError as error:
        raise DamagedStoreError(
            f"{path} cannot be brought to format {schema.newest_format()}, since its rows do not "
            f"agree ({error}). It was left as it is; `pe-explore verify` names what is damaged, "
            "restore another copy"
        ) from error


def _unfinished(path: Path) -> Path:
    """Where a store is written until it is whole. Only for who holds the writer's lock."""
    return path.with_name(path.name + ".new")


def _make(path: Path, fill: Fill) -> None:
    unfinished = _unfinished(path)
    if not file_checks.is_unfinished_store(unfinished):
        raise StoreNotWritableError(
            f"{unfinished} is in the way: {path} is written there until it is whole. Move that "
            "file away, or give the store another name (--store)"
        )
    try:
        new_file.remove(unfinished)
        _write(unfinished, path, fill)
        new_file.put_new(unfinished, path)
    except FileExistsError:
        raise _exists(path) from None
    finally:
        new_file.remove(unfinished)


def _write(unfinished: Path, path: Path, fill: Fill) -> None:
    with translating(path):
        opened = connect(unfinished, "mode=rwc")
    try:
        with translating(path):
            # Until it is whole nothing of it is kept: it needs no journal on disk.
            opened.execute("PRAGMA journal_mode = MEMORY")
            schema.initialise(opened)
        fill(Connection(path, opened, read_only=False))
        with translating(path):
            # Last, and with nothing left in a -wal: the marks are then in the file's own header.
            opened.execute("PRAGMA journal_mode = WAL")
    finally:
        opened.close()
