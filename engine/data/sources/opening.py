"""From what `--data` says to a source: what it is, told before anything is decoded."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, shown
from engine.contracts.near import did_you_mean
from engine.contracts.outside import check_regular
from engine.data.images import Decoded
from engine.data.sources.collector import Collected, collect
from engine.data.sources.decoding import decode
from engine.data.sources.entries import Entry, Listing, readable
from engine.data.sources.folder import list_folder, read_entry
from engine.data.sources.idx import is_idx_folder, read_idx
from engine.data.sources.image_zip import list_zip
from engine.data.sources.names import KNOWN_NAMES, SAMPLE_NAMES, TORCHVISION, sample_file
from engine.data.sources.npz import read_npz
from engine.data.sources.older import collect_as_before
from engine.data.sources.places import FolderPlace, ShardsPlace, ZipPlace
from engine.data.sources.resizing import Target
from engine.data.sources.shard_cache import known_listing
from engine.data.sources.shards import collect_shards, shards_of
from engine.data.sources.source import EncodedImages, Progress, Source
from engine.data.sources.torchvision_sets import read_torchvision
from engine.data.sources.zip_files import open_zip, read_member

WHAT_IS_READ = (
    "give a folder or .zip of train/<class>/* and test/<class>/*, a folder of tar shards, or an "
    ".npz with x_train, y_train, x_test, y_test"
)


def open_source(
    source: str,
    on_progress: Progress | None = None,
    *,
    size: Target | None = None,
    as_before: bool = False,
) -> Source:
    """The source that `--data` names. Raises DataError with the nearest known name.

    Images in files are brought to a target where one is given, for they may differ in size.
    `as_before` reads images as earlier versions did (`older`), for trees grown on them.
    """
    if source in SAMPLE_NAMES:
        return Source(None, lambda _: read_npz(sample_file("fashion-sample.npz")))
    path = path_of(source)
    found = stat_of(path)
    if found is None:
        name = source.lower()
        if name in TORCHVISION:
            return Source(f"torchvision-{name}", lambda _: read_torchvision(name))
        hint = did_you_mean(name, KNOWN_NAMES).rstrip()
        hint = hint or f"known names: {', '.join(TORCHVISION)}"
        raise DataError(f"no data set or file is called {shown(source)}; {hint}")
    if stat.S_ISDIR(found.st_mode):
        if is_idx_folder(path):
            return Source(None, lambda _: read_idx(path))
        if shards := shards_of(path):
            return _shards_source(path, shards, on_progress, size)
        return _folder_source(path, on_progress, size, as_before)
    try:
        check_regular(path)
    except UnusableFileError as error:
        raise DataError(f"{in_words(error)}; {WHAT_IS_READ}") from error
    if path.suffix.lower() == ".npz":
        return Source(None, lambda _: read_npz(path))
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return _zip_source(path, size, as_before)
    raise DataError(f"{shown(path.name)} is neither an .npz nor a .zip of images; {WHAT_IS_READ}")


def path_of(source: str) -> Path:
    """What a source's name says, with the home folder put in. Raises DataError."""
    if not source:
        raise DataError(f"no data are named; {WHAT_IS_READ}")
    try:
        return Path(source).expanduser()
    except RuntimeError as error:  # ~ without a home
        raise DataError(
            f"{shown(source)} begins with ~, and this user has no home folder; give a whole path"
        ) from error


def stat_of(path: Path) -> os.stat_result | None:
    """What a path leads to; None where nothing is called so. Raises DataError."""
    try:
        return os.stat(path)
    except ValueError as error:  # a zero byte
        raise DataError(f"{shown(str(path))} is no name that a file can have") from error
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR) and not path.is_symlink():
            return None
    try:
        return check_regular(path)
    except UnusableFileError as error:
        raise DataError(f"{in_words(error)}; {WHAT_IS_READ}") from error


def _folder_source(
    path: Path, on_progress: Progress | None, size: Target | None, as_before: bool
) -> Source:
    listing = list_folder(path, on_progress)
    name = readable(path.name or path.resolve().name)
    collected = _collected(name, listing, as_before)

    def decode_folder(on_progress: Progress | None) -> Decoded:
        def read(entry: Entry) -> bytes:
            return read_entry(path, entry)

        return decode(collected, read, on_progress, size=size, as_before=as_before)

    key = key_of("folder", collected, size, as_before)
    images = None if as_before else EncodedImages(collected, FolderPlace(path), where_of(path))
    return Source(key, decode_folder, collected.notes, collected.name, True, images)


def _shards_source(
    path: Path, shards: tuple[str, ...], on_progress: Progress | None, size: Target | None
) -> Source:
    name, place = readable(path.name or path.resolve().name), ShardsPlace(path, shards)
    collected = collect_shards(name, path, shards, known_listing(path, shards, on_progress))

    def decode_shards(on_progress: Progress | None) -> Decoded:
        return decode(collected, lambda entry: place.read(entry.raw), on_progress, size=size)

    images = EncodedImages(collected, place, where_of(path))
    key = key_of("shards", collected, size, False)
    return Source(key, decode_shards, collected.notes, collected.name, True, images)


def _zip_source(path: Path, size: Target | None, as_before: bool) -> Source:
    with open_zip(path) as archive:
        listing, members = list_zip(path, archive)
    collected = _collected(readable(path.stem), listing, as_before)

    def decode_zip(on_progress: Progress | None) -> Decoded:
        with open_zip(path) as archive:

            def read(entry: Entry) -> bytes:
                return read_member(archive, members[entry.raw])

            return decode(collected, read, on_progress, size=size, as_before=as_before)

    key = key_of("zip", collected, size, as_before)
    images = None if as_before else EncodedImages(collected, ZipPlace(path), where_of(path))
    return Source(key, decode_zip, collected.notes, collected.name, True, images)


def where_of(path: Path) -> str:
    """What is kept on disk of a place's images is kept by this name of it."""
    return os.path.realpath(path)


def _collected(name: str, listing: Listing, as_before: bool) -> Collected:
    return collect_as_before(name, listing) if as_before else collect(name, listing)


def key_of(kind: str, collected: Collected, size: Target | None, as_before: bool) -> str:
    """A name of the content: of what is decoded, and how."""
    stamp = hashlib.sha256()
    for line in _lines(collected):
        stamp.update(line.encode("utf-8", "backslashreplace"))
    how = f"{'-as-before' if as_before else ''}{'' if size is None else f'-{size.name}'}"
    return f"{kind}{how}-{stamp.hexdigest()[:32]}"


def _lines(collected: Collected) -> Iterable[str]:
    yield f"{collected.classes}\n"
    for split, members in collected.splits.items():
        for entry, number in members:
            yield f"{split} {number} {entry.raw} {entry.stamp}\n"
