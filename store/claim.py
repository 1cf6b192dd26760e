"""The right to write a store that may not be there yet."""

from __future__ import annotations

import os
from collections.abc import Callable

from store import opening
from store.sqlite import store_file
from store.sqlite.writer_lock import WriterLock
from store.tree_store import TreeStore


class StoreClaim:
    """The right to write the store of a path, held from before there is a file until it is open.

    Whoever makes something beside a store (a folder of work, processes that write to it) claims it
    first. The store that `open` or `create` gives has the right from then on: closing it ends it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Take the right.

        Raises StoreLockedError, StoreNotWritableError, StoreNotFoundError where there is no such
        folder, and the errors of `TreeStore.open` about a file that is no store.
        """
        self.path = opening.resolved(path)
        self._lock: WriterLock | None = store_file.lock_path(self.path, create=True)

    @property
    def exists(self) -> bool:
        """Whether there is a store: only who holds the right makes one."""
        return self.path.exists()

    def open(self) -> TreeStore:
        """The store. Raises as `TreeStore.open`; the right stays here then."""
        connection = store_file.open_locked(self.path, self._held())
        try:
            opening.tidy(connection)
        except BaseException:
            connection.close(keep_lock=True)
            raise
        self._lock = None
        return TreeStore(connection)

    def create(self, begin: Callable[[TreeStore], object]) -> TreeStore:
        """A new store, as `TreeStore.create` makes it; the right stays here where that fails."""
        connection = store_file.create_locked(
            self.path, self._held(), lambda unfinished: begin(TreeStore(unfinished))
        )
        self._lock = None
        return TreeStore(connection)

    def release(self) -> None:
        """Give the right up, unless a store that was opened has it."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _held(self) -> WriterLock:
        assert self._lock is not None, "the right was given up, or a store has it"
        return self._lock
