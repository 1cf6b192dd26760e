"""The right to write to a store, held by one process at a time and gone when that process dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import weakref
from datetime import UTC, datetime
from pathlib import Path

from store.errors import StoreLockedError, StoreNotWritableError

_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


class WriterLock:
    """An OS lock on `<store>.lock`, which names its holder as JSON: pid, host, since."""

    def __init__(self, store: Path) -> None:
        """Take the lock.

        Raises StoreLockedError (naming the holder) or StoreNotWritableError.
        """
        self.path = store.with_name(store.name + ".lock")
        self._store = store
        self._descriptor: int | None = None
        # The file may be removed by its holder between our opening and our locking of it; then we
        # have locked something that nobody else will find.
        while self._descriptor is None:
            descriptor = self._open()
            if self._is_current(descriptor):
                self._descriptor = descriptor
            else:
                os.close(descriptor)
        self._sign(self._descriptor)
        _held.add(self)

    def _open(self) -> int:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreNotWritableError(
                f"cannot write {self.path} ({error.strerror}), and so not {self._store} either. "
                "Open the store with read_only=True, or copy it to a folder that you may write to"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise StoreLockedError(
                f"{self._store} is being written by {holder}. Close that one first, or open the "
                "store with read_only=True, which works at the same time"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreNotWritableError(
                f"cannot lock {self.path} ({error.strerror}): its file system knows no locks. "
                "Copy the store to a local disk"
            ) from error
        return descriptor

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def _sign(self, descriptor: int) -> None:
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        except OSError:
            # A full disk: the lock holds without its name, and the store will say what is wrong.
            return

    def release(self) -> None:
        """Let others write. Releasing twice is the same as once."""
        if self._descriptor is not None:
            # Its file may stay where it cannot be removed: it is the lock on it that counts.
            with contextlib.suppress(OSError):
                self.path.unlink()
            self.abandon()

    def abandon(self) -> None:
        """Close this process's handle without touching the lock of the process it came from."""
        _held.discard(self)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {holder['pid']} on {holder['host']} (since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _abandon_all() -> None:
    for lock in list(_held):
        lock.abandon()


# flock belongs to the open file, which a forked child shares: a worker that outlives the session
# would keep the store locked.
os.register_at_fork(after_in_child=_abandon_all)
