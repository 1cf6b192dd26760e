"""What a file must be before it is treated as a store. Nothing here writes a byte."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

from store.errors import (
    DamagedStoreError,
    NewerStoreError,
    NotAStoreError,
    OlderStoreError,
    StoreInputOutputError,
    StoreNotFoundError,
)
from store.sqlite import our_schema, schema

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
# Beyond this many events a check of every page would take longer than opening may; a damaged page
# is then found when it is first read.
_MAX_EVENTS_CHECKED = 20_000
_UNCHECKED = {"snapshot_chunk"}  # large, and its content has hashes


def wal_path(path: Path) -> Path:
    """Where SQLite keeps what it has not yet moved into the file."""
    return path.with_name(path.name + "-wal")


def check_exists(path: Path) -> None:
    """Raise StoreNotFoundError or NotAStoreError where there is no ordinary file at `path`."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreNotFoundError(
            f"there is no file {path}. Check its name; `pe-explore auto MODEL` makes a new store"
        ) from error
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a folder of others
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreNotFoundError(f"cannot look at {path} ({cause}). Check its name") from error
    if stat.S_ISDIR(mode):
        raise NotAStoreError(f"{path} is a folder; name the store's .db file inside it")
    if not stat.S_ISREG(mode):
        # Opening a pipe would wait for whoever writes to it.
        raise NotAStoreError(f"{path} is a pipe, a socket or a device; name a store's .db file")
    _check_name_leaves_room(path)


def _check_name_leaves_room(path: Path) -> None:
    """Raise StoreNotFoundError where the files beside a store (`-wal`, `.lock`, `.new-wal`) could
    have no names."""
    try:
        path.with_name(path.name + ".new-wal").lstat()  # the longest
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreNotFoundError(
            f"the name {path.name[:40]}… of {len(path.name)} letters leaves no room for those of "
            f"the files beside it ({error.strerror}); rename the store"
        ) from error


def is_unfinished_store(path: Path) -> bool:
    """Whether a file is what is left of making a store, or is not there; else it is somebody's."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return False
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    ours = schema.APPLICATION_ID.to_bytes(4, "big")
    is_store = header.startswith(_MAGIC) and header[68:72] == ours
    return is_store or not header.strip(b"\0")


def check_header(path: Path) -> None:
    """Refuse what is no store of ours, going by the file's first 100 bytes.

    Raises StoreNotFoundError, NotAStoreError, NewerStoreError, DamagedStoreError.
    """
    check_exists(path)
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        num_bytes = path.stat().st_size
    except OSError as error:
        raise StoreInputOutputError(
            f"cannot read {path} ({error.strerror}). Check its permissions"
        ) from error
    if not header:
        raise NotAStoreError(
            f"{path} is empty (0 bytes). Remove it to start a new store there, or restore a copy"
        )
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise NotAStoreError(
            f"{path} is no SQLite database (it starts with {header[:16]!r}). Name a store, "
            "a file that usually ends in .pex.db"
        )
    application_id = int.from_bytes(header[68:72], "big")
    if application_id != schema.APPLICATION_ID:
        raise NotAStoreError(
            f"{path} is an SQLite database of another program (application_id {application_id}, "
            f"not {schema.APPLICATION_ID}). Name another file; this one was left as it is"
        )
    _check_format(int.from_bytes(header[60:64], "big"), path)
    _check_length(header, num_bytes, path)


def _check_format(number: int, path: Path) -> None:
    if number > schema.newest_format():
        raise NewerStoreError(
            f"{path} has format {number}; this version of pe-explore knows formats up to "
            f"{schema.newest_format()}. Upgrade pe-explore to open it"
        )


def _check_length(header: bytes, num_bytes: int, path: Path) -> None:
    wal = wal_path(path)
    if wal.exists() and wal.stat().st_size:
        return  # pages that are missing here may be there
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65_536 if page_size == 1 else page_size
    expected = page_size * int.from_bytes(header[28:32], "big")
    if num_bytes < expected:
        raise DamagedStoreError(
            f"{path} is cut short: {num_bytes} bytes of {expected}. Copy it again, or restore "
            "another copy; this one was left as it is"
        )


def check_content(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    """Refuse a store whose tables are not ours, torn, or of a format that cannot be read now.

    Raises NewerStoreError, NotOurSchemaError, OlderStoreError, DamagedStoreError.
    """
    number = schema.format_of(connection)
    _check_format(number, path)
    has_log = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchone()
    if number < 1 or has_log is None:
        raise DamagedStoreError(
            f"{path} is marked as a store but its tables are missing. Restore a copy; this one "
            "was left as it is"
        )
    our_schema.check(connection, path)
    if number < schema.OLDEST_READABLE and read_only:
        raise OlderStoreError(
            f"{path} has format {number}, older than {schema.OLDEST_READABLE}. Open it once for "
            "writing (pe-explore STORE, or gc STORE), which brings it up to date"
        )
    newest_event = connection.execute("SELECT max(id) FROM event").fetchone()[0] or 0
    if newest_event <= _MAX_EVENTS_CHECKED:
        _check_pages(connection, path)


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in names:
        if name in _UNCHECKED or name.startswith("sqlite_"):
            continue
        try:
            problem = connection.execute(f'PRAGMA quick_check("{name}")').fetchone()[0]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            problem = str(error)
        if problem != "ok":
            raise DamagedStoreError(
                f"{path} is damaged in its table {name}: {problem}. Restore a copy, or save what "
                "can be read with `sqlite3 FILE .recover`; this file was left as it is"
            )
