"""A zip of images: its members as entries, whoever packed it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from engine.contracts.errors import DataError
from engine.contracts.message_text import shown
from engine.data.sources.entries import Entry, LeftOut, Listing, is_image_name, readable
from engine.data.sources.folder import NO_IMAGE
from engine.data.sources.limits import MOST_ENTRIES, MOST_IMAGE_BYTES, in_gb
from engine.data.sources.zip_files import fault_of

UTF8_NAME = 0x800
MADE_ON_UNIX = 3
LEADS_OUT = "names that lead out of the archive"
TWICE = "earlier versions of files that the zip holds twice"
# Images are packed already; 64 MB of blanks are not yet a bomb.
MOST_RATIO, FREE_BYTES = 100, 64 * 2**20


def list_zip(path: Path, archive: zipfile.ZipFile) -> tuple[Listing, dict[str, zipfile.ZipInfo]]:
    """The images of an archive, and its members by the entries' `raw`. Raises DataError."""
    infos = archive.infolist()
    if len(infos) > MOST_ENTRIES:
        raise DataError(f"{shown(path.name)} holds {len(infos):,} files, more than are looked at")
    backslashes = not any("/" in info.filename for info in infos)
    left_out, members = LeftOut(), {}
    for info in infos:
        name = _name(info)
        parts = (name.replace("\\", "/") if backslashes else name).split("/")
        if not parts[-1]:  # a folder, or a name of no characters
            continue
        if ".." in parts:
            left_out.add(LEADS_OUT, name)
        elif not is_image_name(name):
            left_out.add(NO_IMAGE, name)
        else:
            if info.filename in members:
                left_out.add(TWICE, name)
            members[info.filename] = info
    _refuse_bomb(path, list(members.values()))
    entries = tuple(_entry(raw, members[raw], backslashes) for raw in sorted(members))
    return Listing(entries, left_out), members


def _entry(raw: str, info: zipfile.ZipInfo, backslashes: bool) -> Entry:
    name = _name(info)
    parts = (name.replace("\\", "/") if backslashes else name).split("/")
    path = "/".join(part for part in parts if part not in ("", "."))
    fault = "is empty; remove or replace it" if info.file_size == 0 else None
    fault = fault or fault_of(info, MOST_IMAGE_BYTES)
    return Entry(readable(path), raw, f"{info.file_size} {info.CRC}", fault)


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name: few programs say in which encoding they write it."""
    if info.flag_bits & UTF8_NAME or info.filename.isascii():
        return info.filename
    try:
        written = info.filename.encode("cp437")  # as zipfile has read it
    except UnicodeEncodeError:
        return info.filename
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("latin-1") if info.create_system == MADE_ON_UNIX else info.filename


def _refuse_bomb(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > FREE_BYTES + MOST_RATIO * packed:
        raise DataError(
            f"{shown(path.name)} says that its images of {in_gb(packed)} unpack to "
            f"{in_gb(unpacked)}; no images do, so it is not unpacked"
        )
