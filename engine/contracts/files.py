"""Files that are whole or not there."""

from __future__ import annotations

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
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomically(destination: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    write_atomically(destination, lambda path: path.write_text(text, encoding="utf-8"))


def write_bytes_atomically(destination: Path, content: bytes) -> None:
    """Writes a file of bytes whole or not at all."""
    write_atomically(destination, lambda path: path.write_bytes(content))
