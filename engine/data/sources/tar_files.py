"""Tar files from anybody: their members by offset, read within bounds, errors in words."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, shown
from engine.contracts.outside import open_regular
from engine.data.sources.limits import MOST_ENTRIES

# Of a member's header: names of 4,096 bytes fit. tarfile's patterns take the square of its length.
MOST_HEADER_BYTES = 8 * 2**10
BLOCK = tarfile.BLOCKSIZE
# All that tarfile raises where a file is not what its headers say.
TAR_ERRORS = (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, KeyError, IndexError,
              TypeError, AttributeError, RecursionError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """An ordinary file in a tar: where its bytes begin, and how many there are."""

    name: str
    offset: int
    size: int


class _BoundedReader(io.BufferedReader):
    """A file of which no more than a header is read at once: tarfile believes its sizes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= MOST_HEADER_BYTES:
            raise tarfile.ReadError("a header is too large")
        return super().read(size)


class Members:
    """The ordinary files of a tar in their order; what else it holds is counted in `others`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.others: list[str] = []  # links, devices and the like, by name

    def __iter__(self) -> Iterator[Member]:
        """Raises DataError where the tar is damaged, or holds too much."""
        try:
            file = _BoundedReader(open_regular(self.path).detach())  # type: ignore[attr-defined]
        except UnusableFileError as error:
            raise DataError(in_words(error)) from error
        with file:
            try:
                yield from self._members(file)
            except TAR_ERRORS as error:
                raise self._damaged() from error

    def _members(self, file: io.BufferedReader) -> Iterator[Member]:
        num_bytes, before, count = os.fstat(file.fileno()).st_size, -1, 0
        with tarfile.TarFile(fileobj=file, errors="surrogateescape") as archive:
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it keeps them all
                count += 1
                # A size below zero leads back; Python 3.11 follows it for ever.
                if info.offset <= before or info.size < 0 or count > MOST_ENTRIES:
                    raise tarfile.ReadError("its members do not follow each other")
                before = info.offset
                if not info.isreg() or info.issparse():
                    if not info.isdir():
                        self.others.append(info.name)
                    continue
                if info.offset_data + info.size > num_bytes:
                    raise tarfile.ReadError("it is cut short")
                yield Member(info.name, info.offset_data, info.size)
            # To tarfile a damaged header is the end.
            file.seek(archive.offset)
            if any(file.read(BLOCK)):
                raise tarfile.ReadError("what follows a member is no header")

    def _damaged(self) -> DataError:
        return DataError(
            f"{shown(self.path.name)} is damaged or cut short, or is packed (.tar.gz): its members "
            "cannot be read; fetch the shard again, or unpack it to an uncompressed .tar"
        )
