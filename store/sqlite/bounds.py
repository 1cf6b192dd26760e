"""What one statement on a store's file may cost, and what SQLite may do for the file's own sake.

A store may come from anybody. A statement of ours reads each row a few times, so its steps follow
from the file's size; one that takes many times that goes in circles or was made to be slow. Steps
of SQLite's machine are counted and not seconds: a busy computer changes nothing about them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

STEPS_ALWAYS = 20_000_000  # about a second
STEPS_A_BYTE = 2  # of the file and its -wal; the most costly statement of ours takes 0.2
LONGEST_VALUE = 64 * 2**20  # bytes of a text, a blob or a row; a part of a snapshot has 8 MiB
_STEPS_BETWEEN_LOOKS = 100_000

# Far above what our own statements and tables need.
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 10,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 1,  # VACUUM takes one
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# None of these reads the file: they hold before SQLite looks at its schema for the first time.
# (trusted_schema stays: SQLite 3.40 takes the JSON functions of our own CHECKs for unsafe. Nothing
# of a schema runs before it was compared with ours.)
_PRAGMAS = (
    "foreign_keys = ON",
    "cell_size_check = ON",
    "mmap_size = 0",  # a file cut short meanwhile is an error, not a signal
)


class BoundedConnection(sqlite3.Connection):
    """A connection whose statements end, with `sqlite3.SQLITE_INTERRUPT` where they take too
    long; without a file (`bound` was not called) they may take as long as they want."""

    _file: Path | None = None
    _steps = 0

    def bound(self, file: Path) -> None:
        """Set the limits. Before the first statement."""
        self._file = file
        for limit, value in _LIMITS.items():
            self.setlimit(limit, value)
        _be_defensive(self)
        for pragma in _PRAGMAS:
            self.execute(f"PRAGMA {pragma}")
        self.set_progress_handler(self._is_too_long, _STEPS_BETWEEN_LOOKS)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._steps = 0
        return super().execute(sql, parameters)

    def _is_too_long(self) -> bool:
        self._steps += _STEPS_BETWEEN_LOOKS
        return self._steps > STEPS_ALWAYS and self._steps > most_steps(self._file)


def most_steps(file: Path | None) -> int:
    """The steps that one statement on a file may take."""
    num_bytes = 0
    if file is not None:
        for path in (file, file.with_name(file.name + "-wal")):
            try:
                num_bytes += path.stat().st_size
            except OSError:
                continue  # removed meanwhile: what is open stays readable
    return STEPS_ALWAYS + STEPS_A_BYTE * num_bytes


def _be_defensive(connection: sqlite3.Connection) -> None:
    """The same again for what no pragma can say. Python 3.12 and later."""
    if hasattr(connection, "setconfig"):
        for name in ("DEFENSIVE", "ENABLE_VIEW"):
            connection.setconfig(getattr(sqlite3, f"SQLITE_DBCONFIG_{name}"), name == "DEFENSIVE")
