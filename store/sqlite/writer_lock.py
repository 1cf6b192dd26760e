"""The right to write to a store, held by one process at a time and gone when that process dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import weakref
from datetime import UTC, datetime
from pathlib import Path

from store.errors import StoreLockedError, StoreNotWritableError
from store.sqlite.file_lock import FileLock, HeldElsewhereError, NoLocksError, identity_of

_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()
_MOST_BYTES = 4096  # of a lock's file
_SIGNED = {"pid", "host", "since"}


class WriterLock:
    """Two OS locks: on `<store>.lock`, which names its holder as JSON, and on the store itself.

    The first is the right to the name, also while there is no file of that name; the second is the
    right to the file, whatever its name.
    """

    def __init__(self, store: Path) -> None:
        """Take the lock.

        Raises StoreLockedError (naming the holder) or StoreNotWritableError.
        """
        self.path = store.with_name(store.name + ".lock")
        self._store = store
        self._descriptor: int | None = None
        self._file: FileLock | None = None
        # The file may be removed by its holder between our opening and our locking of it; then we
        # have locked something that nobody else will find.
        while self._descriptor is None:
            descriptor = self._open()
            if self._is_current(descriptor):
                self._descriptor = descriptor
            else:
                os.close(descriptor)
        try:
            self.hold_file()
        except BaseException:
            self.release()
            raise
        self._sign(self._descriptor)
        _held.add(self)

    def hold_file(self) -> None:
        """Lock the store itself too, once it is there.

        Raises StoreLockedError where it is written under another name, or StoreNotWritableError.
        """
        identity = identity_of(self._store)
        if identity is None or self._file is not None:
            return
        if any(lock._file is not None and lock._file.identity == identity for lock in _held):
            # Not even opened: closing it again would drop the locks of SQLite in this process.
            raise self._is_locked(f"process {os.getpid()}")
        try:
            self._file = FileLock(self._store)
        except HeldElsewhereError as error:
            holder = "another process" if error.pid is None else f"process {error.pid}"
            whose = f"{holder} (under another name, or its {self.path.name} was removed)"
            raise self._is_locked(whose) from None
        except NoLocksError as error:
            raise _no_locks(self._store, error) from error
        except OSError:
            return  # who cannot open it for writing writes nothing to it

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self.path, flags, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._is_foreign() from None
            raise StoreNotWritableError(
                f"cannot write {self.path} ({error.strerror}), and so not {self._store} either. "
                f"Make its folder writable, or {self._elsewhere()}"
            ) from error
        try:
            self._check_own(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise self._is_locked(holder) from None
        except OSError as error:
            os.close(descriptor)
            raise _no_locks(self.path, error) from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _check_own(self, descriptor: int) -> None:
        """Refuse a file of somebody else's that has the name of our lock: it would be lost."""
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        content = os.pread(descriptor, _MOST_BYTES, 0) if regular else b"?"
        # Zeros are left of a signature by a power failure.
        if content.strip(b"\0") and _signature(content) is None:
            raise self._is_foreign()

    def _is_foreign(self) -> StoreNotWritableError:
        return StoreNotWritableError(
            f"{self.path} is no lock of pe-explore, and a store has its lock there. Move that file "
            "away, or give the store another name (--store)"
        )

    def _elsewhere(self) -> str:
        if self._store.exists():
            return "copy the store to another one and work on that copy"
        return "name another place with --store"

    def _is_locked(self, holder: str) -> StoreLockedError:
        return StoreLockedError(
            f"{self._store} is being written by {holder}. Close that one first, or look "
            "at the store meanwhile (pe-explore log, show, replay)"
        )

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.lstat())
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
                if self._is_current(self._descriptor):  # else it is somebody else's by now
                    self.path.unlink()
            self.abandon()

    def abandon(self) -> None:
        """Close this process's handles without touching the lock of the process it came from."""
        _held.discard(self)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _no_locks(path: Path, error: OSError) -> StoreNotWritableError:
    return StoreNotWritableError(
        f"cannot lock {path} ({error.strerror}): its file system knows no locks. Copy the store to "
        "a local disk"
    )


def _signature(content: bytes) -> dict[str, object] | None:
    """What a lock's file says of its holder; None where it is no such file."""
    try:
        holder = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return holder if isinstance(holder, dict) and set(holder) == _SIGNED else None


def _holder(descriptor: int) -> str:
    holder = _signature(os.pread(descriptor, _MOST_BYTES, 0))
    if holder is None:
        return "another process"
    return f"process {holder['pid']} on {holder['host']} (since {holder['since']})"


def _abandon_all() -> None:
    for lock in list(_held):
        lock.abandon()


# Both locks belong to the open files, which a forked child shares: a worker that outlives the
# session would keep the store locked.
os.register_at_fork(after_in_child=_abandon_all)
