"""A folder of images: walked with its links, within bounds, and nothing in it opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, shown
from engine.contracts.outside import check_regular, open_regular
from engine.data.sources.collector import HIDDEN
from engine.data.sources.entries import (
    Entry,
    LeftOut,
    Listing,
    is_image_name,
    is_system_name,
    named_of,
    readable,
)
from engine.data.sources.limits import MOST_ENTRIES, MOST_IMAGE_BYTES, MOST_LEVELS, in_gb
from engine.data.sources.source import Progress

NO_IMAGE = "files that are no images by their names"
LOOP = "links that lead back to a folder above them"
TOLD_EVERY = 2_000  # entries


@dataclass(frozen=True)
class _Folder:
    """A folder on the way, with those above it: (device, inode) tells folders apart."""

    path: str  # absolute
    inside: str  # relative to the data set, "" for the data set itself
    above: frozenset[tuple[int, int]]
    level: int = 0
    linked: bool = False


@dataclass
class _Walk:
    """What a walk has found so far."""

    root: str
    on_progress: Progress | None
    entries: list[Entry] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    outside: list[str] = field(default_factory=list)
    num_seen: int = 0

    def see(self) -> None:
        """Counts one more entry. Raises DataError beyond the bound."""
        self.num_seen += 1
        if self.num_seen > MOST_ENTRIES:
            raise DataError(
                f"{shown(self.root)} holds more than {MOST_ENTRIES:,} files and folders; give the "
                "folder of the data set itself"
            )
        if self.on_progress is not None and self.num_seen % TOLD_EVERY == 0:
            self.on_progress("reading folders", self.num_seen, self.num_seen)


def list_folder(path: Path, on_progress: Progress | None = None) -> Listing:
    """The images below a folder, sorted by the parts of their names. Raises DataError."""
    walk = _Walk(os.path.realpath(path), on_progress)
    pending = [_Folder(str(path), "", frozenset())]
    while pending:
        pending.extend(_look_into(pending.pop(), walk))
    walk.entries.sort(key=lambda entry: entry.raw.split("/"))
    notes: tuple[str, ...] = ()
    if walk.outside:
        named = named_of(sorted(walk.outside)[:3], len(walk.outside))
        notes = (f"links lead out of the folder, to images that lie elsewhere: {named}",)
    return Listing(tuple(walk.entries), walk.left_out, notes)


def read_entry(root: Path, entry: Entry) -> bytes:
    """The bytes of a listed image. Raises DataError."""
    try:
        with open_regular(root / entry.raw) as file:
            size = os.fstat(file.fileno()).st_size  # room is made for as much as is asked for
            content = file.read(min(size, MOST_IMAGE_BYTES) + 1)
    except UnusableFileError as error:
        raise DataError(f"{in_words(error)}; remove or replace it") from error
    except OSError as error:
        raise DataError(
            f"{shown(entry.path)} cannot be read to its end ({_reason(error)}); remove or replace "
            "it"
        ) from error
    if len(content) > MOST_IMAGE_BYTES:
        raise DataError(f"{shown(entry.path)} grows while it is read; remove or replace it")
    return content


def _look_into(folder: _Folder, walk: _Walk) -> Iterator[_Folder]:
    """The folders below one; its files go to the walk."""
    try:
        here = os.stat(folder.path)
        with os.scandir(folder.path) as found:
            entries = sorted(_counted(found, walk), key=lambda entry: entry.name)
    except OSError as error:
        name = folder.inside or folder.path
        raise DataError(
            f"the folder {shown(name)} cannot be read ({_reason(error)}); change its permissions, "
            "or take it out of the data set"
        ) from error
    inode = (here.st_dev, here.st_ino)
    if inode in folder.above:
        walk.left_out.add(LOOP, readable(folder.inside))
        return
    if folder.level > MOST_LEVELS:
        raise DataError(
            f"{shown(walk.root)} has folders more than {MOST_LEVELS} levels deep; give the folder "
            "of the data set itself"
        )
    for entry in entries:
        inside = f"{folder.inside}/{entry.name}" if folder.inside else entry.name
        if _is_folder(entry):
            if is_system_name(entry.name):
                walk.left_out.add(HIDDEN, readable(inside))
                continue
            if entry.is_symlink():
                _tell_target(entry, inside, walk)
            yield _Folder(
                entry.path,
                inside,
                folder.above | {inode},
                folder.level + 1,
                folder.linked or entry.is_symlink(),
            )
        elif is_image_name(entry.name):
            walk.entries.append(_entry(entry, inside, folder, walk))
        else:
            reason = HIDDEN if is_system_name(entry.name) else NO_IMAGE
            walk.left_out.add(reason, readable(inside))


def _counted(found: Iterator[os.DirEntry[str]], walk: _Walk) -> Iterator[os.DirEntry[str]]:
    for entry in found:
        walk.see()
        yield entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself is no folder
        return False


def _tell_target(entry: os.DirEntry[str], inside: str, walk: _Walk) -> None:
    target = os.path.realpath(entry.path)
    if os.path.commonpath([target, walk.root]) != walk.root:
        walk.outside.append(readable(inside))


def _entry(entry: os.DirEntry[str], inside: str, folder: _Folder, walk: _Walk) -> Entry:
    path, fault, stamp = readable(inside), None, ""
    try:
        found = entry.stat()
        fault = _fault(entry.path, found)
        stamp = f"{found.st_size} {found.st_mtime_ns}"
        if entry.is_symlink() and fault is None:
            _tell_target(entry, inside, walk)
    except OSError as error:
        fault = f"cannot be read ({_reason(error)}); remove or replace it"
        if entry.is_symlink():
            fault = (
                f"is a link to {shown(_target(entry.path))}, which is not there; bring that back, "
                "or remove the link"
            )
    return Entry(path, inside, stamp, fault, folder.linked)


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _fault(path: str, found: os.stat_result) -> str | None:
    """Why a file is not to be read, or None."""
    if not stat.S_ISREG(found.st_mode):
        try:
            check_regular(Path(path))
        except UnusableFileError as error:
            return str(error).removeprefix(path).strip().split(";")[0] + ", no image; remove it"
    if found.st_size == 0:
        return "is empty; remove or replace it"
    if found.st_size > MOST_IMAGE_BYTES:
        return (
            f"has {in_gb(found.st_size)}, and at most {in_gb(MOST_IMAGE_BYTES)} are read of an "
            "image; remove or replace it"
        )
    return None


def _reason(error: OSError) -> str:
    reasons = {PermissionError: "you may not read it", FileNotFoundError: "it is not there"}
    return reasons.get(type(error), error.strerror or "the system does not say why")
