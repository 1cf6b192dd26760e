"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(destination: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that a crash leaves the old one or the new one, never half of it.

    `write` gets the path of a temporary sibling. Two writers at once do not meet.
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
    finally:
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
