"""The .pt2 archives of torch.export.save, read without torch.export.load.

That one unpickles the inputs a program was exported with and evaluates the text of its sizes. Here
nothing of a file is run: its program is JSON, its tensors are bytes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

import torch
from torch import Tensor

from engine.checkpoints.errors import DamagedFileError, UnsupportedFormatError
from engine.checkpoints.zip_archive import check_archive
from engine.contracts.message_text import plain, shown

_MOST_JSON_BYTES = 64 * 2**20
_DTYPES = {1: torch.uint8, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
           8: torch.float64, 12: torch.bool, 13: torch.bfloat16}  # fmt: skip
WEIGHTS_REMEDY = (
    'save its weights instead, torch.save(torch.export.load("model.pt2").state_dict, "weights.pt")'
    ", and say what they are of with --arch torchvision.models:NAME, timm:NAME or "
    "package.module:factory"
)


@dataclass(frozen=True, eq=False)
class ExportedArchive:
    """A program as its archive describes it, and its tensors by their names in the network."""

    program: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def is_exported(data: bytes) -> bool:
    """Whether the bytes of a zip archive are one of torch.export."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            tails = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError):
        return False
    return "archive_format" in tails and "data.pkl" not in tails


def read_exported(data: bytes) -> ExportedArchive:
    """What an archive holds. Raises CheckpointError."""
    check_archive(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = {name.partition("/")[2]: name for name in archive.namelist()}
        models = [tail for tail in names if re.fullmatch(r"models/[^/]+\.json", tail)]
        if len(models) != 1:
            raise UnsupportedFormatError(
                f"a .pt2 archive of {len(models)} programs in a form that is not read here (torch "
                f"2.8 and later write it); {WEIGHTS_REMEDY}"
            )
        name = models[0].removeprefix("models/").removesuffix(".json")
        program = _json(archive, names[models[0]])
        tensors: dict[str, Tensor] = {}
        for kind, config in (("weights", "weights"), ("constants", "constants")):
            told = names.get(f"data/{kind}/{name}_{config}_config.json")
            if told is not None:
                entries = _json(archive, told).get("config", {})
                folder = told.rpartition("/")[0]
                tensors |= {key: _tensor(archive, folder, key, e) for key, e in entries.items()}
        return ExportedArchive(program, tensors)


def _json(archive: zipfile.ZipFile, name: str) -> Mapping[str, Any]:
    if archive.getinfo(name).file_size > _MOST_JSON_BYTES:
        _refuse(f"{shown(name)} is larger than {_MOST_JSON_BYTES:,} bytes")
    try:
        told = json.loads(archive.read(name))
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(
            f"{shown(name)} in it is no JSON ({plain(str(error))}); export it again"
        ) from error
    if not isinstance(told, dict):
        _refuse(f"{shown(name)} in it holds no program")
    return told


def _tensor(archive: zipfile.ZipFile, folder: str, name: str, entry: Any) -> Tensor:
    """A tensor out of the bytes of its storage, as far as they reach."""
    try:
        if entry["use_pickle"]:
            _refuse(f"its tensor {shown(name)} is pickled, which only running code would read")
        meta = entry["tensor_meta"]
        dtype = _DTYPES[meta["dtype"]]
        sizes, strides = ([int(n["as_int"]) for n in meta[key]] for key in ("sizes", "strides"))
        offset = int(meta["storage_offset"]["as_int"])
        content = archive.read(f"{folder}/{entry['path_name']}")
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(
            f"its tensor {shown(name)} is not described; export it again"
        ) from error
    elements = len(content) // dtype.itemsize
    last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=False))
    if len(sizes) != len(strides) or min([offset, *sizes, *strides], default=0) < 0:
        _refuse(f"its tensor {shown(name)} has no shape that a tensor can have")
    if (prod(sizes) and not 0 <= last < elements) or prod(sizes) > elements:
        raise DamagedFileError(
            f"its tensor {shown(name)} is larger than its bytes; export it again"
        )
    if not prod(sizes):
        return torch.empty(sizes, dtype=dtype)
    flat = torch.frombuffer(bytearray(content), dtype=dtype, count=elements)
    return flat.as_strided(sizes, strides, offset).clone()


def _refuse(why: str) -> NoReturn:
    raise UnsupportedFormatError(f"a .pt2 archive that is not read here: {why}; {WEIGHTS_REMEDY}")
