"""Files that appear whole: written under another name, synced, then put in their place."""

from __future__ import annotations

import os
from pathlib import Path


def remove(unfinished: Path) -> None:
    """Remove a file with what SQLite keeps beside it; where there is none, that is all right."""
    for path in (unfinished, *companions(unfinished)):
        path.unlink(missing_ok=True)


def companions(path: Path) -> list[Path]:
    """What SQLite keeps beside a file."""
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def put_new(unfinished: Path, out: Path) -> None:
    """Give a finished file its name, on disk for certain; never over a file that came up meanwhile.

    Raises FileExistsError. After a crash in between, the file may have both names.
    """
    sync(unfinished)
    try:
        os.link(unfinished, out)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        unfinished.rename(out)
    unfinished.unlink(missing_ok=True)
    sync(out.parent)


def replace(unfinished: Path, out: Path) -> None:
    """Put a finished file in the place of one that is there, on disk for certain."""
    sync(unfinished)
    # What the old file's -wal holds would be taken for a part of the new one.
    for path in companions(out):
        path.unlink(missing_ok=True)
    unfinished.replace(out)
    sync(out.parent)


def sync(path: Path) -> None:
    """Have a file or folder on disk for certain."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
