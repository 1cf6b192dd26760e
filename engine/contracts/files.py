"""Files that are whole or not there; where they cannot be written, which and why."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from engine.contracts.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class WritingError(UserError, OSError):
    """A file that cannot be written; names it, for the disk that is full may be any."""

    code = "cannot-write"

    @classmethod
    def of(cls, path: Path, error: OSError) -> WritingError:
        cause = error.strerror or str(error)
        remedy = f"choose another folder than {path.parent}, or let it be written to"
        if error.errno in _FULL:
            remedy = f"make room on the disk of {path.parent}"
        elif error.errno == errno.EFBIG:
            remedy = "raise the limit on the size of files (ulimit -f)"
        made = cls(f"cannot write {path}: {cause}; {remedy}")
        made.errno, made.strerror, made.filename = error.errno, error.strerror, str(path)
        return made

    def __str__(self) -> str:
        return str(self.args[0])


def write_atomically(destination: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that a crash leaves the old one or the new one, never half of it.

    `write` gets the path of a temporary sibling. Two writers at once do not meet. Raises
    WritingError.
    """
    temporary = destination.with_name(
        f".{destination.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    )
    try:
        write(temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, destination)
        _sync_folder(destination.parent)
    except OSError as error:
        raise WritingError.of(destination, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Has the new name on disk too; where folders cannot be opened or synced, nothing can be."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text_atomically(destination: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    write_atomically(destination, lambda path: path.write_text(text, encoding="utf-8"))


def write_bytes_atomically(destination: Path, content: bytes) -> None:
    """Writes a file of bytes whole or not at all."""
    write_atomically(destination, lambda path: path.write_bytes(content))
