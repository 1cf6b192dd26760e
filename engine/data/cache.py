"""Decoded data sets kept on disk, so that the second start does not decode again."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.contracts.files import write_atomically
from engine.data import sources
from engine.data.folders import NoCacheFolderError, cache_folder
from engine.data.images import Decoded
from engine.data.sources.resizing import Target, resized

Progress = Callable[[str, int, int], None]
CACHE_FORMAT = 2


def decoded(
    source: str,
    on_progress: Progress | None = None,
    *,
    size: Target | None = None,
    as_before: bool = False,
) -> Decoded:
    """The decoded data set of `source`: from the cache if its content is known, else decoded.

    Where a target is given its images have that size.
    """
    opened = sources.open_source(source, on_progress, size=size, as_before=as_before)
    return decoded_of(opened, on_progress, size=size)


def decoded_of(
    opened: sources.Source, on_progress: Progress | None = None, *, size: Target | None = None
) -> Decoded:
    """The decoded data set of a source that was opened."""
    found = _decoded(opened, on_progress)
    if size is not None and not opened.is_sized:
        found = resized(found, size, on_progress)
    name = found.name if opened.name is None else opened.name
    return replace(found, name=name, notes=(*opened.notes, *found.notes))


def _decoded(opened: sources.Source, on_progress: Progress | None) -> Decoded:
    if opened.key is None:
        return opened.decode(on_progress)
    try:
        path = cache_folder() / f"{opened.key}-{CACHE_FORMAT}.npz"
    except NoCacheFolderError:
        return opened.decode(on_progress)  # each time
    found = _read(path)
    if found is None:
        found = opened.decode(on_progress)
        _write(path, found)
    return found


def _read(path: Path) -> Decoded | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays = {key: file[key] for key in file.files if key != "about"}
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
    ):  # absent, damaged, or cut short by a crash
        return None
    notes = tuple(about["notes"])
    return Decoded(about["name"], tuple(about["classes"]), about["flips"], arrays, notes)


def _write(path: Path, data: Decoded) -> None:
    about = json.dumps(
        {"name": data.name, "classes": data.classes, "flips": data.flips, "notes": data.notes}
    )
    arrays = dict(data.arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: _save(file, about, arrays))
    except OSError:
        return  # a read-only or full cache folder costs time at the next start, nothing else


def _save(path: Path, about: str, arrays: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as file:  # by its name, savez would add a suffix
        np.savez(file, about=np.array(about), **arrays)  # type: ignore[arg-type]
