"""A checkpoint's content made from its survey alone: tensors from bytes, all else left as it is.

No unpickler runs. Tensors are cut out of the file's storages as the survey describes them, which
has checked that they lie inside; values of other classes stay the survey's inert stand-ins.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints.errors import UnsupportedFormatError
from engine.checkpoints.pickle_scan import Survey
from engine.checkpoints.stand_ins import PlainTensor
from engine.checkpoints.zip_archive import Archive

ReadStorage = Callable[[str], bytes]


def content_of(found: Survey, read_storage: ReadStorage) -> Any:
    """The content, its tensors with their values."""
    return _Maker(read_storage).make(found.content)


def storages_of_zip(data: bytes, archive: Archive) -> ReadStorage:
    """Reads storages out of an archive that was scanned. Raises UnsupportedFormatError."""
    opened = zipfile.ZipFile(io.BytesIO(data))
    order = f"{archive.prefix}byteorder"
    if order in opened.namelist() and opened.read(order) != b"little":
        raise UnsupportedFormatError(
            "written on a machine with another order of bytes; load it with torch and save the "
            'weights alone: torch.save(model.state_dict(), "weights.pt")'
        )
    return lambda key: opened.read(f"{archive.prefix}data/{key}")


def storages_of_legacy(data: bytes, found: Survey, keys: list[str], start: int) -> ReadStorage:
    """Reads storages behind the pickles of the format before torch 1.6, a count before each."""
    places = {}
    for key in keys:
        num_bytes = found.storages[key].num_bytes
        places[key] = slice(start + 8, start + 8 + num_bytes)
        start += 8 + num_bytes
    return lambda key: data[places[key]]


class _Maker:
    """Makes each tensor and each container once, however often it is referred to."""

    def __init__(self, read_storage: ReadStorage) -> None:
        self._read_storage = read_storage
        self._storages: dict[str, Tensor] = {}
        self._made: dict[int, Any] = {}

    def make(self, value: Any) -> Any:
        """A value with its tensors; the survey has bounded how deep it is nested."""
        if isinstance(value, PlainTensor):
            return self._tensor(value)
        if not isinstance(value, dict | list | tuple):
            return value
        if id(value) not in self._made:
            self._fill(value)
        return self._made[id(value)]

    def _fill(self, value: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> None:
        if isinstance(value, dict):
            named: dict[Any, Any] = {}
            self._made[id(value)] = named  # before what is inside, which may refer to it
            named.update((key, self.make(item)) for key, item in value.items())
            return
        items: list[Any] = []
        self._made[id(value)] = items
        items.extend(self.make(item) for item in value)
        if isinstance(value, tuple):
            self._made[id(value)] = tuple(items)

    def _tensor(self, described: PlainTensor) -> Tensor:
        if 0 in described.shape:
            return torch.empty(described.shape, dtype=described.dtype)
        if described.key not in self._storages:
            content = bytearray(self._read_storage(described.key))
            self._storages[described.key] = torch.frombuffer(content, dtype=torch.uint8)
        elements = self._storages[described.key]
        size = described.dtype.itemsize
        elements = elements[: len(elements) // size * size].view(described.dtype)
        return elements.as_strided(described.shape, described.strides, described.offset)
