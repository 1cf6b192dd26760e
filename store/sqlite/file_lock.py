"""A lock on a store's file itself: whatever name it is opened by, it is the same lock.

The file of a name (`writer_lock`) is no lock on the store: a hard link has another name, and a lock
file can be removed by hand while its holder writes. So the holder locks a byte of the store too.

- The byte lies far beyond what SQLite locks (from 2**30 on) or a database can hold (2**48), so the
  two never meet, over NFS neither. `flock` on the store would meet SQLite's locks there, and on
  macOS everywhere.
- The lock belongs to the open file, not to the process (F_OFD_SETLK). An ordinary POSIX lock would
  be gone as soon as anything in this process closed the file, as SQLite does.
- A second byte says who holds the lock: its place is the number of the process.

Systems without such locks have the lock of the name alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path

_SET: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_GET: int | None = getattr(fcntl, "F_OFD_GETLK", None)
_FLOCK = "hhqqi0q"  # struct flock: type, whence, start, length, process (0 for these locks)
_THE_RIGHT = 2**62
_HOLDERS = _THE_RIGHT + 1
_NUM_HOLDERS = 2**32  # more than any process number
_HELD_BY_ANOTHER = (errno.EACCES, errno.EAGAIN)
_UNKNOWN_HERE = (errno.EINVAL, errno.ENOSYS, errno.EOVERFLOW)  # a system without them


class HeldElsewhereError(Exception):
    """Another open file holds the lock; `pid` is its process where that can be told."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(pid)
        self.pid = pid


class NoLocksError(OSError):
    """The file system knows no locks."""


class FileLock:
    """The lock, held until `close`.

    Raises HeldElsewhereError, NoLocksError, and OSError where it cannot be opened for writing.

    To be closed after the last SQLite connection of this process to the file: closing any
    descriptor drops the locks that SQLite has on it.
    """

    def __init__(self, store: Path) -> None:
        self._descriptor = os.open(store, os.O_RDWR | os.O_NOFOLLOW)
        try:
            found = os.fstat(self._descriptor)
            self.identity = (found.st_dev, found.st_ino)
            self._take()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self) -> None:
        if _SET is None:
            return
        try:
            fcntl.fcntl(self._descriptor, _SET, _lock(_THE_RIGHT))
            fcntl.fcntl(self._descriptor, _SET, _lock(_HOLDERS + os.getpid()))
        except OSError as error:
            if error.errno in _UNKNOWN_HERE:
                return
            if error.errno in _HELD_BY_ANOTHER:
                raise HeldElsewhereError(_holder(self._descriptor)) from None
            raise NoLocksError(error.errno, error.strerror) from error

    def close(self) -> None:
        """Let go of the lock, but not for the process that this one was forked from."""
        os.close(self._descriptor)


def identity_of(path: Path) -> tuple[int, int] | None:
    """The device and number of a file, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _lock(start: int, length: int = 1) -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)


def _holder(descriptor: int) -> int | None:
    assert _GET is not None
    answer = fcntl.fcntl(descriptor, _GET, _lock(_HOLDERS, _NUM_HOLDERS))
    kind, _, start, _, _ = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else start - _HOLDERS
