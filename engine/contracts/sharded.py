"""Weights in several files, as libraries save large networks: an index, and the files beside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.contracts.errors import UnusableFileError
from engine.contracts.outside import (
    MOST_CHECKPOINT_BYTES,
    check_regular,
    digest_of,
    read_bounded,
)

INDEX_ENDING = ".index.json"
INDEX_NAME = f"model.safetensors{INDEX_ENDING}"
MOST_INDEX_BYTES, MOST_PARTS = 16 * 2**20, 1_000
_PART = re.compile(r"[\w-][\w.-]{0,199}\.safetensors", re.ASCII)


def is_index(path: Path) -> bool:
    """Whether a file is, by its name, the index of weights in several ones."""
    return path.name.endswith(f".safetensors{INDEX_ENDING}")


def parts_of(path: Path) -> dict[str, str]:
    """In which file beside an index each tensor lies. Raises UnusableFileError."""
    again = "get the folder again, or save the network there as one file"
    try:
        told = json.loads(read_bounded(path, MOST_INDEX_BYTES))
    except (ValueError, RecursionError) as error:
        raise UnusableFileError(f"{path} cannot be read as JSON; {again}") from error
    places = told.get("weight_map") if isinstance(told, Mapping) else None
    if not isinstance(places, Mapping) or not places:
        raise UnusableFileError(f"{path} names no files of weights (weight_map); {again}")
    for name in places.values():
        if not isinstance(name, str) or not _PART.fullmatch(name):
            raise UnusableFileError(f"{path} names a file {str(name)[:80]!r} of weights; {again}")
    if len(set(places.values())) > MOST_PARTS:
        raise UnusableFileError(f"{path} names more than {MOST_PARTS:,} files; {again}")
    return {str(name): part for name, part in places.items()}


def num_bytes_of(path: Path) -> int:
    """How many bytes the weights of a file, or of an index, have. Raises UnusableFileError."""
    if not is_index(path):
        return path.stat().st_size
    parts = sorted(set(parts_of(path).values()))
    count = sum(check_regular(path.with_name(part)).st_size for part in parts)
    if count > MOST_CHECKPOINT_BYTES:
        raise UnusableFileError(
            f"the files that {path} names have {count:,} bytes; at most {MOST_CHECKPOINT_BYTES:,} "
            "are read"
        )
    return count


def digest_of_weights(path: Path) -> str:
    """What the weights of a file, or of an index with its parts, are known by: a SHA-256. Raises
    UnusableFileError."""
    if not is_index(path):
        return digest_of(path, MOST_CHECKPOINT_BYTES)
    num_bytes_of(path)
    parts = sorted(set(parts_of(path).values()))
    digests = [digest_of(each, MOST_CHECKPOINT_BYTES) for each in map(path.with_name, parts)]
    return digest_of_parts(zip(parts, digests, strict=True))


def digest_of_parts(parts: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 that stands for files by their names and their own."""
    lines = (f"{name} {digest}\n" for name, digest in sorted(parts))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
