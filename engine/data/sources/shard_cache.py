"""What shards hold, kept on disk: their headers are read once, until one of them changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from engine.contracts.files import write_text_atomically
from engine.data.folders import NoCacheFolderError, cache_folder
from engine.data.sources.shards import Sample, ShardListing, list_shards
from engine.data.sources.source import Progress

CACHE_FORMAT = 1


def known_listing(
    folder: Path, shards: Sequence[str], on_progress: Progress | None
) -> ShardListing:
    """The listing of these shards as they are now. Raises DataError."""
    try:
        path = cache_folder() / f"shards-{_key(folder, shards)}-{CACHE_FORMAT}.jsonl"
    except NoCacheFolderError:
        return list_shards(folder, shards, on_progress)  # each time
    found = _read(path)
    if found is None:
        found = list_shards(folder, shards, on_progress)
        _write(path, found)
    return found


def _key(folder: Path, shards: Sequence[str]) -> str:
    stamp = hashlib.sha256(os.path.realpath(folder).encode("utf-8", "surrogateescape"))
    for shard in shards:
        found = os.stat(folder / shard)
        line = f"\n{shard} {found.st_size} {found.st_mtime_ns}"
        stamp.update(line.encode("utf-8", "surrogateescape"))
    return stamp.hexdigest()[:32]


def _read(path: Path) -> ShardListing | None:
    try:
        with open(path, encoding="ascii") as file:
            notes = tuple(json.loads(next(file)))
            return ShardListing([Sample(*json.loads(line)) for line in file], notes)
    except (OSError, ValueError, TypeError, StopIteration):  # absent, or cut short by a crash
        return None


def _write(path: Path, found: ShardListing) -> None:
    lines = [json.dumps(found.notes), *(json.dumps(sample) for sample in found.samples)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, "\n".join(lines) + "\n")
    except OSError:
        return  # a read-only or full cache folder costs time at the next start, nothing else
