"""Files that somebody names: what they are is looked at before a byte of them is read.

A pipe would wait for ever, /dev/zero never end. Whoever reads a file that this program has not
written opens it here, so that every room says the same of what cannot be read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.contracts.errors import UnusableFileError

MOST_CHECKPOINT_BYTES = 4 * 2**30

_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)
_REASONS = {
    errno.ENOENT: "is not there",
    errno.ENOTDIR: "is not there: a part of its path is a file",
    errno.ELOOP: "is a link that leads back to itself",
    errno.ENAMETOOLONG: "has a name that is longer than the file system allows",
    errno.EACCES: "may not be read by you",
    errno.EPERM: "may not be read by you",
}


def open_regular(path: Path) -> BinaryIO:
    """An ordinary file, open for reading. Raises UnusableFileError for anything else."""
    try:
        # Opening a pipe for reading would wait for somebody who writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise UnusableFileError(f"{path} {_reason(error)}") from error
    try:
        _check_kind(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: Path) -> os.stat_result:
    """Raises UnusableFileError where a path is not an ordinary file; links are followed."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise UnusableFileError(f"{path} {_reason(error)}") from error
    _check_kind(path, found.st_mode)
    return found


def beginning_of(path: Path, num_bytes: int) -> bytes:
    """The first bytes of an ordinary file, as many as it has. Raises UnusableFileError."""
    with _reading(path), open_regular(path) as file:
        return file.read(num_bytes)


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """The content of an ordinary file. Raises UnusableFileError where it has more bytes."""
    with _reading(path), open_regular(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise UnusableFileError(f"{path} has more than {most_bytes:,} bytes")
    return content


def digest_of(path: Path, most_bytes: int) -> str:
    """The SHA-256 of an ordinary file. Raises UnusableFileError where it has more bytes."""
    with _reading(path), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise UnusableFileError(f"{path} has {size:,} bytes; at most {most_bytes:,} are read")
        digest = hashlib.sha256()
        while chunk := file.read(2**20):
            digest.update(chunk)
        return digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """A disk that fails in the middle of a file is told by the file's name."""
    try:
        yield
    except OSError as error:
        raise UnusableFileError(f"{path} {_reason(error)}") from error


def _check_kind(path: Path, mode: int) -> None:
    for is_kind, words in _KINDS:
        if is_kind(mode):
            raise UnusableFileError(f"{path} {words}; an ordinary file is needed")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0, f"cannot be read: {error.strerror}")
    return "has a name that no file can have"
