"""How everything in this package comes to an open store: checked, migrated, and in order."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from store.errors import StoreNotFoundError
from store.sqlite import store_file
from store.sqlite.connection import Connection
from store.tables import candidates, snapshots


def resolved(path: str | os.PathLike[str]) -> Path:
    """Where the file is, with links resolved: a store has one lock, however it is named."""
    try:
        # Loops of links and ~ without a home stay as they are: looking at them says what is wrong.
        return Path(os.path.realpath(os.path.expanduser(path)))
    except (OSError, ValueError) as error:
        raise StoreNotFoundError(
            f"cannot find {os.fspath(path)!r}: the current folder was deleted, or the name has a "
            "zero byte. Go to another folder, or give the full path"
        ) from error


def open_store(
    path: str | os.PathLike[str], *, read_only: bool = False, create: bool = False
) -> Connection:
    """A connection to the store at `path`. Raises as `TreeStore.open`."""
    if read_only and create:
        raise ValueError("a store cannot be created read_only; leave one of the two out")
    if read_only:
        return store_file.open_to_read(resolved(path))
    connection = store_file.open_to_write(resolved(path), create=create)
    try:
        tidy(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def create_store(path: str | os.PathLike[str], fill: Callable[[Connection], object]) -> Connection:
    """A connection to a new store, there with what `fill` writes or not at all."""
    return store_file.create_filled(resolved(path), fill)


def tidy(connection: Connection) -> None:
    """Put in order what a writer that died has left."""
    candidates.requeue_running(connection)
    snapshots.remove_unreferenced(connection)
