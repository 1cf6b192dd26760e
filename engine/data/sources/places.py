"""Where encoded images lie, and how one of them is read: in any process, and in any order.

A place holds paths only until it is asked, so that it can be sent to a process that loads images.
"""

from __future__ import annotations

import os
import threading
import zipfile
from collections import OrderedDict
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, shown
from engine.contracts.outside import open_regular
from engine.data.sources.entries import Entry, readable
from engine.data.sources.folder import read_entry
from engine.data.sources.zip_files import open_zip, read_member

MOST_OPEN = 64  # shards at a time


class FolderPlace:
    """Images that are files of a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, raw: str) -> bytes:
        return read_entry(self.root, Entry(readable(raw), raw))


class ZipPlace:
    """Images in a zip, which each process opens for itself, once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[zipfile.ZipFile, ExitStack] | None = None
        self._lock = threading.Lock()

    def read(self, raw: str) -> bytes:
        with self._lock:  # a zip's one file has one position
            archive = self._archive()
            try:
                info = archive.getinfo(raw)
            except KeyError:
                raise DataError(
                    f"{shown(self.path.name)} no longer holds {shown(raw)}; bring back the zip "
                    "that it was"
                ) from None
            return read_member(archive, info)

    def _archive(self) -> zipfile.ZipFile:
        if self._opened is None:
            stack = ExitStack()
            self._opened = stack.enter_context(open_zip(self.path)), stack
        return self._opened[0]

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.__init__(path)  # type: ignore[misc]


class ShardsPlace:
    """Images in tar shards, read at their offsets; `raw` is `OFFSET SIZE NUMBER-OF-SHARD NAME`."""

    def __init__(self, root: Path, shards: tuple[str, ...]) -> None:
        self.root, self.shards = root, shards
        self._files: OrderedDict[int, BinaryIO] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, raw: str) -> bytes:
        offset, size, number, name = raw.split(" ", 3)
        shard = self.shards[int(number)]
        try:
            with self._lock:
                content = os.pread(self._descriptor(int(number)), int(size), int(offset))
        except OSError as error:
            raise DataError(
                f"{shown(f'{shard}/{name}')} cannot be read ({error.strerror}); fetch the shard "
                "again"
            ) from error
        if len(content) != int(size):
            raise DataError(f"{shown(shard)} is cut short before {shown(name)}; fetch it again")
        return content

    def _descriptor(self, number: int) -> int:
        file = self._files.pop(number, None)
        if file is None:
            try:
                file = open_regular(self.root / self.shards[number])
            except UnusableFileError as error:
                raise DataError(f"{in_words(error)}; bring it back") from error
        self._files[number] = file
        if len(self._files) > MOST_OPEN:
            self._files.popitem(last=False)[1].close()
        return file.fileno()

    def __getstate__(self) -> tuple[Path, tuple[str, ...]]:
        return self.root, self.shards

    def __setstate__(self, state: tuple[Path, tuple[str, ...]]) -> None:
        self.__init__(*state)  # type: ignore[misc]
