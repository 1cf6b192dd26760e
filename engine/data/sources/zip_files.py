"""Zip files from anybody: their directory and members read within bounds, errors in words."""

from __future__ import annotations

import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, shown
from engine.contracts.outside import open_regular
from engine.data.sources.limits import in_gb

MOST_DIRECTORY_BYTES = 64 * 2**20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
METHOD_NAMES = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES encryption"}
# All that zipfile raises where a file is not what its headers say.
ZIP_ERRORS = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError,
              ValueError, OverflowError, EOFError, OSError, struct.error, zlib.error,
              lzma.LZMAError, UnicodeError, IndexError)  # fmt: skip
ENCRYPTED = 0x1
SAVE_AGAIN = "save it again with np.savez"  # for an .npz: a folder of arrays is not read


class _BoundedReader(io.BufferedReader):
    """A file of which no more than so many bytes are read at once: zipfile believes its headers."""

    most: int | None = MOST_DIRECTORY_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is None:
            return super().read(size)
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > self.most:
            raise zipfile.BadZipFile("the directory is too large")
        return super().read(size)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive, open for reading. Raises DataError."""
    try:
        file = _BoundedReader(open_regular(path).detach())  # type: ignore[attr-defined]
    except UnusableFileError as error:
        raise DataError(in_words(error)) from error
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except ZIP_ERRORS as error:
            raise DataError(
                f"{shown(path.name)} is damaged or cut short: the list of files at its end cannot "
                f"be read (at most {in_gb(MOST_DIRECTORY_BYTES)} of it are); {_again(path)}"
            ) from error
        archive.filename = str(path)  # for messages: an open descriptor has none
        file.most = None  # members are read within bounds of their own
        with archive:
            yield archive


def _again(path: Path) -> str:
    if path.suffix.lower() == ".npz":
        return f"fetch it again, or {SAVE_AGAIN}"
    return "fetch it again, or unpack it and give the folder"


def fault_of(
    info: zipfile.ZipInfo, most_bytes: int, instead: str = "unpack the zip and give the folder"
) -> str | None:
    """Why a member is not to be read, with what to do `instead`, or None."""
    if info.flag_bits & ENCRYPTED:
        return f"is locked with a password; {instead}"
    if info.compress_type not in METHODS:
        method = METHOD_NAMES.get(info.compress_type, f"method {info.compress_type}")
        return (
            f"is packed by {method}, which is not read here; {instead}, "
            "or pack it again with another program"
        )
    if info.file_size > most_bytes:
        return (
            f"has {in_gb(info.file_size)} unpacked, and at most {in_gb(most_bytes)} are read; "
            "remove or replace it"
        )
    return None


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member that `fault_of` finds nothing wrong with. Raises DataError."""
    try:
        with archive.open(info) as file:
            # One byte more than promised: unpacking stops there, whatever follows.
            content = file.read(info.file_size + 1)
    except ZIP_ERRORS as error:
        raise damaged(archive, info) from error
    if len(content) != info.file_size:
        raise damaged(archive, info)
    return content


def damaged(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> DataError:
    """The error for a member that is not what the archive says of it."""
    name = shown(Path(archive.filename or "").name)
    return DataError(
        f"{shown(info.filename)} is damaged inside its zip ({name}): it cannot be unpacked to what "
        "the zip says of it; fetch the zip again, or pack it again"
    )
