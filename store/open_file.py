"""A store's file while it is open: how one comes to it, and what concerns the file alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from store import opening
from store.sqlite.connection import Connection, reader

if TYPE_CHECKING:
    import sqlite_utils


class OpenFile:
    """One store file, open. One process at a time writes; any number read meanwhile."""

    def __init__(self, connection: Connection) -> None:
        """A store on an open connection; `open` and `create` are the usual ways to one."""
        self._connection = connection

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, read_only: bool = False, create: bool = False
    ) -> Self:
        """The store at `path`; with `create`, a new one without a run where there is none.

        A writer also tidies up after one that died: running nodes are queued again, unfinished
        snapshots removed. Raises StoreNotFoundError, NotAStoreError, NewerStoreError,
        OlderStoreError, DamagedStoreError, StoreLockedError, StoreNotWritableError.
        """
        return cls(opening.open_store(path, read_only=read_only, create=create))

    @classmethod
    def create(cls, path: str | os.PathLike[str], begin: Callable[[Self], object]) -> Self:
        """A new store that appears at `path` together with what `begin` writes to it.

        Until `begin` is done there is no file at `path`, whatever happens; after a crash the next
        one to create or open the store removes what is left. Raises StoreExistsError,
        StoreNotFoundError, StoreLockedError (another process makes it), StoreNotWritableError,
        StoreFullError.
        """
        return cls(opening.create_store(path, lambda connection: begin(cls(connection))))

    @property
    def path(self) -> Path:
        """Where the file is, with links resolved."""
        return self._connection.path

    @property
    def read_only(self) -> bool:
        """Whether the store was opened for reading."""
        return self._connection.read_only

    def close(self) -> None:
        """Close the file, and let others write. Closing twice is the same as once."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def database(self) -> sqlite_utils.Database:
        """The file as sqlite-utils sees it, for queries of one's own; it cannot write."""
        import sqlite_utils  # here, since its import takes 0.2 s

        return sqlite_utils.Database(reader(self.path))

    def shrink(self) -> None:
        """Gives the room that was freed back to the file system: the file is written anew.

        Takes as much room beside it as what is left in it. Raises StoreFullError.
        """
        self._connection.vacuum()
