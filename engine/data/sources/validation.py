"""From what `--validation-from FILE` says to a source of one split: a person's own images that
decide, in every form that data have."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, shown
from engine.contracts.outside import check_regular
from engine.data.images import Decoded
from engine.data.sources.collector import Collected
from engine.data.sources.decoding import decode
from engine.data.sources.entries import Entry, readable
from engine.data.sources.folder import list_folder
from engine.data.sources.idx import has_idx
from engine.data.sources.image_zip import list_zip
from engine.data.sources.one_split import (
    NEEDED,
    VALIDATION,
    absent,
    collect_validation,
    label_of,
    other_splits,
    the_one_split,
)
from engine.data.sources.opening import key_of, path_of, stat_of, where_of
from engine.data.sources.places import FolderPlace, ShardsPlace, ZipPlace
from engine.data.sources.resizing import Target
from engine.data.sources.shards import Sample, entry_of, list_shards, shards_in, split_of, stamp_of
from engine.data.sources.source import EncodedImages, Place, Progress, Source
from engine.data.sources.validation_arrays import read_validation_idx, read_validation_npz
from engine.data.sources.zip_files import open_zip


def open_validation(
    source: str,
    classes: Sequence[str],
    on_progress: Progress | None = None,
    *,
    size: Target | None = None,
) -> Source:
    """The source of the images that decide, decoded as x_val and y_val, by the data's classes.

    Raises DataError, where a file is none, has other classes, or does not say which images it
    means.
    """
    path = path_of(source)
    found = stat_of(path)
    if found is None:
        raise DataError(
            f"--validation-from: nothing is called {shown(source)}; give data, test-half or "
            f"{NEEDED}"
        )
    if stat.S_ISDIR(found.st_mode):
        return _of_folder(path, classes, on_progress, size)
    try:
        check_regular(path)
    except UnusableFileError as error:
        raise DataError(f"--validation-from: {in_words(error)}; give {NEEDED}") from error
    if path.suffix.lower() == ".npz":
        return Source(None, lambda _: read_validation_npz(path, classes))
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        with open_zip(path) as archive:
            listing, _ = list_zip(path, archive)
        collected = collect_validation(readable(path.stem), listing, classes)
        return _encoded("zip", collected, ZipPlace(path), path, size)
    raise DataError(f"--validation-from: {shown(path.name)} is none of what is read; give {NEEDED}")


def _of_folder(
    path: Path, classes: Sequence[str], on_progress: Progress | None, size: Target | None
) -> Source:
    if has_idx(path):
        return Source(None, lambda _: read_validation_idx(path, classes))
    if shards := shards_in(path):
        return _of_shards(path, shards, classes, on_progress, size)
    name = readable(path.name or path.resolve().name)
    collected = collect_validation(name, list_folder(path, on_progress), classes)
    return _encoded("folder", collected, FolderPlace(path), path, size)


def _of_shards(
    path: Path,
    shards: tuple[str, ...],
    classes: Sequence[str],
    on_progress: Progress | None,
    size: Target | None,
) -> Source:
    name = readable(path.name or path.resolve().name)
    by_split: dict[str, list[str]] = {}
    for shard in shards:
        by_split.setdefault(split_of(shard) or "", []).append(shard)
    used = the_one_split(name, by_split, "name those that are val-000000.tar")
    mine = tuple(by_split[used])
    listing = list_shards(path, mine, on_progress, as_split=VALIDATION)
    numbers = {class_name: number for number, class_name in enumerate(classes)}
    stamps = [stamp_of(path / shard) for shard in mine]

    def labelled(sample: Sample) -> tuple[Entry, int]:
        return entry_of(sample, mine, stamps), label_of(name, sample, numbers, classes)

    members = tuple(map(labelled, listing.samples))
    if not members:
        raise DataError(
            f"--validation-from: {shown(name)} has no labelled images in its shards; it needs "
            f"{NEEDED}"
        )
    told = (*other_splits(by_split, used), *listing.notes, *absent(members, classes))
    collected = Collected(name, tuple(classes), {VALIDATION: members}, told)
    return _encoded("shards", collected, ShardsPlace(path, mine), path, size)


def _encoded(
    kind: str, collected: Collected, place: Place, path: Path, size: Target | None
) -> Source:
    def decoded(on_progress: Progress | None) -> Decoded:
        return decode(collected, lambda entry: place.read(entry.raw), on_progress, size=size)

    images = EncodedImages(collected, place, where_of(path))
    key = key_of(f"validation-{kind}", collected, size, False)
    return Source(key, decoded, collected.notes, collected.name, True, images)
