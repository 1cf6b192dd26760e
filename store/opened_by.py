"""Which other processes have a store open: whom to ask where SQLite only says that it is busy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MOST = 3  # that are named


def processes_with(path: Path) -> str:
    """The processes in words, empty where none can be seen: those of other users cannot, and only
    Linux says."""
    found = [f"process {pid} ({name})" for pid, name in sorted(_others(path))]
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return ", ".join(found[:_MOST]) + more


def _others(path: Path) -> Iterator[tuple[int, str]]:
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm", "-journal")]
    wanted = {identity for each in files if (identity := _identity(each))}
    for process in _processes():
        if process.name != str(os.getpid()) and _has_open(process, wanted):
            yield int(process.name), _name(process)


def _processes() -> list[Path]:
    try:
        return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def _has_open(process: Path, wanted: set[tuple[int, int]]) -> bool:
    try:
        return any(_identity(each) in wanted for each in (process / "fd").iterdir())
    except OSError:  # another user's, or gone
        return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
