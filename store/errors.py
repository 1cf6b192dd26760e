"""What can go wrong with a store: one type a cause; each message gives cause, value and remedy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from store.opened_by import processes_with


class StoreError(Exception):
    """Anything that keeps a store from doing what was asked of it."""


class StoreNotFoundError(StoreError):
    """There is no file at the path of the store."""


class StoreExistsError(StoreError):
    """A store was to be made where there is a file already."""


class NotAStoreError(StoreError):
    """The file is something else: empty, no SQLite database, or another program's database."""


class NotOurSchemaError(NotAStoreError):
    """The file has tables, views, indexes or triggers that are not those of a store."""


class NewerStoreError(StoreError):
    """The file has a format that only a newer version of this program knows."""


class OlderStoreError(StoreError):
    """The file has an older format; opened for reading, it cannot be brought up to date."""


class DamagedStoreError(StoreError):
    """The database file is torn, truncated or overwritten somewhere."""


class TooMuchWorkError(DamagedStoreError):
    """A query took many times the steps that a file of this size can need."""


class SnapshotDamagedError(DamagedStoreError):
    """The bytes of a snapshot are not the ones that were stored."""


class SnapshotFreedError(StoreError):
    """The weights of a dropped node were freed; its row and its measurements are there still."""


class StoreLockedError(StoreError):
    """Another process writes to the store."""


class StoreFullError(StoreError):
    """The disk (or a limit on the file's size) has no room for what was to be written."""


class StoreNotWritableError(StoreError):
    """The file or its folder cannot be written to."""


class StoreInputOutputError(StoreError):
    """The operating system could not read or write the file."""


class ReadOnlyStoreError(StoreError):
    """Something was to be written through a store that was opened for reading."""


class StoreClosedError(StoreError):
    """The store was closed before it was used."""


class UnknownRunError(StoreError, LookupError):
    """No run of the store has that id."""


class UnknownNodeError(StoreError, LookupError):
    """No node of the store has that name or id."""


class UnknownSnapshotError(StoreError, LookupError):
    """The store has no snapshot of that hash."""


class UnknownResultError(StoreError, LookupError):
    """The node has no result of that phase."""


class InvalidValueError(StoreError, ValueError):
    """A value that the store cannot hold."""


class IllegalStateError(StoreError):
    """The node's state does not allow what was asked."""


class FinishedNodeError(IllegalStateError):
    """The node has a result already; results never change."""


class EvaluatedError(StoreError):
    """The node was evaluated so already, with another outcome; evaluations never change."""


class UnkeepableNodeError(StoreError, ValueError):
    """A decision names a node that is no ready candidate of its parent."""


def _full(path: Path) -> StoreError:
    return StoreFullError(
        f"no room to write to {path}: the disk ({_free(path.parent)}), a quota or a limit on the "
        f"file's size is exhausted, or the folder of SQLite's temporary files "
        f"({_temporary_folder()}: {_free(_temporary_folder())}; TMPDIR names another). What was "
        "acknowledged is safe; make room and try again"
    )


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB left"
    except OSError:
        return "unknown"


def _temporary_folder() -> Path:
    """Where SQLite puts what it sorts, and a file that it writes anew."""
    named = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    for folder in (*named, "/var/tmp", "/usr/tmp", "/tmp"):
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    return Path()


def _damaged(path: Path) -> StoreError:
    return DamagedStoreError(
        f"{path} is damaged: SQLite finds pages in it that contradict each other. It was left as "
        "it is; restore a copy, or save what can be read with `sqlite3 FILE .recover`"
    )


def _locked(path: Path) -> StoreError:
    return StoreLockedError(
        f"another program holds the database lock of {path}, in spite of some seconds' wait: "
        f"{processes_with(path) or 'an SQLite tool with an open transaction?'}. Let it finish, or "
        "close it, and try again"
    )


def _not_writable(path: Path) -> StoreError:
    return StoreNotWritableError(
        f"{path} cannot be written to. It can be looked at where it is (pe-explore log, show, "
        "replay); to go on, copy it (with its -wal file, if there is one) to a folder of yours"
    )


def _input_output(path: Path) -> StoreError:
    return StoreInputOutputError(
        f"the operating system failed to read or write {path}. Check the disk and the limits on "
        "file sizes; what was acknowledged is safe"
    )


def _cannot_open(path: Path) -> StoreError:
    return StoreNotWritableError(
        f"SQLite cannot open {path} or the -wal and -shm files beside it. Copy the store, with "
        "its -wal file if there is one, to a folder that you may write to, and open that copy"
    )


def _too_much_work(path: Path) -> StoreError:
    return TooMuchWorkError(
        f"reading {path} took many times longer than a file of its size can need, and was given "
        "up: its rows lead in circles or were made to be slow. `pe-explore verify` names what is "
        "wrong; take another copy"
    )


def _too_big(path: Path) -> StoreError:
    return DamagedStoreError(
        f"{path} is damaged: it holds a value larger than any that pe-explore writes. "
        "`pe-explore verify` names what is wrong; restore another copy"
    )


def damaged_rows(path: Path, what: str) -> DamagedStoreError:
    """The error for rows that cannot be what was stored, as `what` says of them."""
    return DamagedStoreError(
        f"{path} is damaged: {what}. `pe-explore verify` names all that is wrong and what can be "
        "used all the same; restore another copy"
    )


_BY_CODE: dict[int, Callable[[Path], StoreError]] = {
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_CORRUPT: _damaged,
    sqlite3.SQLITE_NOTADB: _damaged,
    sqlite3.SQLITE_BUSY: _locked,
    sqlite3.SQLITE_LOCKED: _locked,
    sqlite3.SQLITE_PROTOCOL: _locked,  # of the -wal file: who holds it stands still, or is stopped
    sqlite3.SQLITE_READONLY: _not_writable,
    sqlite3.SQLITE_IOERR: _input_output,
    sqlite3.SQLITE_CANTOPEN: _cannot_open,
    sqlite3.SQLITE_INTERRUPT: _too_much_work,
    sqlite3.SQLITE_TOOBIG: _too_big,
}


def translated(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> Exception:
    """The typed error for what SQLite reported; `error` itself where it means a mistake of ours.

    A damaged schema can end in a UnicodeDecodeError: of SQLite's message, which quotes it.
    """
    if isinstance(error, UnicodeDecodeError):
        return _damaged(path)
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_ERROR and "unsupported file format" in str(error):
        return _damaged(path)
    if code is None and isinstance(error, sqlite3.OperationalError):
        return damaged_rows(path, "a text in it is no text")  # "Could not decode to UTF-8"
    if code == sqlite3.SQLITE_ERROR and "JSON" in str(error):
        return damaged_rows(path, "a text that must be JSON is none")
    explain = _BY_CODE.get(code & 0xFF) if code is not None else None
    return error if explain is None else explain(path)
