"""The arrays of an .npz: their headers first, then only those that are asked for."""

from __future__ import annotations

import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from engine.contracts.errors import DataError
from engine.contracts.message_text import shown
from engine.data.sources.limits import DEFLATE_RATIO, MOST_ENTRIES, refuse_beyond_memory
from engine.data.sources.zip_files import SAVE_AGAIN, ZIP_ERRORS, damaged, fault_of, open_zip

MOST_DIMENSIONS = 8
# All that NumPy raises on headers that are no dictionaries of what it expects.
HEADER_ERRORS = (*ZIP_ERRORS, SyntaxError, TypeError, KeyError, AttributeError, MemoryError,
                 RecursionError, tokenize.TokenError)  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What an array says of itself; `num_bytes` is what it takes in memory."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def num_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


class Members:
    """An open .npz: names, headers, and arrays on demand."""

    def __init__(self, file: str, archive: zipfile.ZipFile) -> None:
        self.file = file
        self._archive = archive
        infos = archive.infolist()
        if len(infos) > MOST_ENTRIES:
            raise DataError(f"{file} holds {len(infos):,} arrays, more than are looked at")
        self._infos: Mapping[str, zipfile.ZipInfo] = {
            info.filename.removesuffix(".npy"): info for info in infos
        }

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._infos)

    def header(self, key: str) -> Header:
        """What an array is, without reading it. Raises DataError."""
        info = self._infos[key]
        fault = fault_of(info, 2**62, SAVE_AGAIN)
        if fault is not None:
            raise DataError(f"{self.file}: its {shown(key)} {fault}")
        try:
            with self._archive.open(info) as member:
                header, start = _read_header(member)
        except HEADER_ERRORS as error:
            raise DataError(
                f"{self.file}: its {shown(key)} is no array that numpy.savez has written, or is "
                "damaged; save it again"
            ) from error
        if header.dtype.hasobject:
            raise DataError(
                f"{self.file}: its {shown(key)} is an array of Python objects, which can run code "
                f"when it is read; save plain numbers or text: {key}.astype(str) for names"
            )
        promised = start + header.num_bytes
        if promised != info.file_size or promised > 4096 + DEFLATE_RATIO * 4 * info.compress_size:
            raise damaged(self._archive, info)
        return header

    def array(self, key: str) -> np.ndarray:
        """An array, whole. Raises DataError."""
        header = self.header(key)
        refuse_beyond_memory(self.file, header.num_bytes, f"the values of {shown(key)}")
        info = self._infos[key]
        try:
            with self._archive.open(info) as member:
                found: np.ndarray = npy.read_array(member, allow_pickle=False)
                if member.read(1):
                    raise damaged(self._archive, info)
        except HEADER_ERRORS as error:
            raise damaged(self._archive, info) from error
        return found


@contextmanager
def open_members(path: Path) -> Iterator[Members]:
    """The arrays of a file. Raises DataError."""
    with open_zip(path) as archive:
        yield Members(shown(path.name), archive)


def _read_header(member: IO[bytes]) -> tuple[Header, int]:
    version = npy.read_magic(member)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version}")  # 3.0 is written for names of fields only
    shape, _, dtype = read[version](member)
    if len(shape) > MOST_DIMENSIONS or any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return Header(tuple(int(size) for size in shape), dtype), member.tell()
