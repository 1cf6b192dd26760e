"""Weights that lie in several safetensors files, put together as their index says."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from engine.checkpoints.errors import DamagedFileError, NotACheckpointError
from engine.checkpoints.file_format import FileBytes, kind_of, read_file
from engine.checkpoints.safe_load import Content, read_content
from engine.contracts.errors import CheckpointError, UnusableFileError
from engine.contracts.message_text import shown
from engine.contracts.sharded import digest_of_parts, num_bytes_of, parts_of


class Whole(NamedTuple):
    """The content of all parts, and what it is known by."""

    content: Content
    digest: str


def read_parts(path: Path) -> Whole:
    """All tensors that an index names. Raises CheckpointError."""
    try:
        places = parts_of(path)
        num_bytes_of(path)
    except UnusableFileError as error:
        raise NotACheckpointError(str(error)) from error
    files = {name: _part(path.with_name(name)) for name in sorted(set(places.values()))}
    found = {name: read_content(file).value for name, file in files.items()}
    tensors: dict[str, Tensor] = {}
    for name, part in places.items():
        if name not in found[part]:
            raise DamagedFileError(
                f"its index says that {shown(name)} lies in {shown(part)}, and it does not; get "
                "the folder again"
            )
        tensors[name] = found[part][name]
    digest = digest_of_parts((name, file.digest) for name, file in files.items())
    return Whole(Content(tensors, ()), digest)


def _part(path: Path) -> FileBytes:
    try:
        file = read_file(path)
        if kind_of(file) == "safetensors":
            return file
    except CheckpointError as error:
        raise type(error)(f"{shown(path.name)}, which is a part of it: {error}") from error
    raise NotACheckpointError(f"{shown(path.name)}, a part of it, is no safetensors file")
