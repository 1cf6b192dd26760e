"""The zip archives that torch.save writes, checked before torch reads them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from engine.checkpoints.errors import (
    DamagedFileError,
    NotACheckpointError,
    UnsafeCheckpointError,
    UnsupportedFormatError,
)
from engine.contracts.errors import CheckpointError
from engine.contracts.message_text import shown

MAX_ENTRIES = 200_000
MAX_PICKLE_BYTES = 32 * 2**20
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22


@dataclass(frozen=True, eq=False)
class Archive:
    """What a checkpoint archive holds: its pickle, and the size of every storage by its key.

    Storages are the entries `{prefix}data/{key}`.
    """

    pickled: bytes
    storage_bytes: dict[str, int]
    prefix: str


def scan(data: bytes) -> Archive:
    """Checks an archive. Raises CheckpointError for one that torch.save cannot have written."""
    with _checked(data) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        _refuse_other_formats(names)
        _check_entries(entries, data)
        prefix = _prefix(names)
        _check_contents(archive)
        pickled = archive.read(f"{prefix}data.pkl")
    start = f"{prefix}data/"
    sizes = {e.filename[len(start) :]: e.file_size for e in entries if e.filename.startswith(start)}
    return Archive(pickled, sizes, prefix)


def check_archive(data: bytes) -> None:
    """Checks the archive of an exported program. Raises CheckpointError."""
    with _checked(data) as archive:
        _check_entries(archive.infolist(), data)
        _check_contents(archive)


@contextmanager
def _checked(data: bytes) -> Iterator[zipfile.ZipFile]:
    """The archive; all that zipfile raises on ones whose directory does not fit their content comes
    out as DamagedFileError."""
    _check_ends(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError,
            ValueError, OverflowError, EOFError, OSError, struct.error) as error:  # fmt: skip
        raise DamagedFileError(
            "the zip archive is corrupt (its directory does not fit its content); fetch it again"
        ) from error


def _check_ends(data: bytes) -> None:
    if data.startswith(_END_RECORD):
        raise NotACheckpointError("an empty zip archive, not a checkpoint; fetch it again")
    # torch and zipfile search for the end record in different ways. Where it stands at the very
    # end, without a comment, both read the same directory.
    if data[-_END_RECORD_BYTES:-18] == _END_RECORD and data[-2:] == b"\0\0":
        return
    if data.rfind(_END_RECORD) > 0:
        raise DamagedFileError(
            "corrupt: there are bytes after the end of the zip archive; fetch it again"
        )
    raise DamagedFileError(
        f"truncated: the zip archive has no end after {len(data):,} bytes; fetch it again"
    )


def _refuse_other_formats(names: list[str]) -> None:
    tails = {name.partition("/")[2] for name in names}
    if names and all(name.endswith(".npy") for name in names):
        raise UnsupportedFormatError(
            "an .npz of NumPy arrays is not read as a network; save the state_dict: "
            'torch.save(model.state_dict(), "weights.pt")'
        )
    if "constants.pkl" in tails:
        raise UnsupportedFormatError(
            "a TorchScript archive, which carries code; save its weights instead: "
            'torch.save(torch.jit.load("model.pt").state_dict(), "weights.pt")'
        )
    if (
        tails & {"archive_format", "serialized_exported_program.json"}
        or "serialized_exported_program.json" in names
        or any(tail.startswith("models/") for tail in tails)
    ):
        raise UnsupportedFormatError(
            "a .pt2 archive (torch.export) in a form that is not read here; save its weights "
            'instead: torch.save(torch.export.load("model.pt2").state_dict, "weights.pt")'
        )


def _check_entries(entries: list[zipfile.ZipInfo], data: bytes) -> None:
    if len(entries) > MAX_ENTRIES:
        _refuse(f"{len(entries):,} entries; {MAX_ENTRIES:,} at most")
    if len({entry.filename.casefold() for entry in entries}) != len(entries):
        # torch looks names up without regard to case, so two readers could see two files.
        _refuse("two entries of the same name")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            _refuse(
                f"the entry {shown(entry.filename)} is compressed ({entry.compress_size:,} bytes "
                f"that unpack to {entry.file_size:,})"
            )
        if entry.flag_bits & 0x1:
            _refuse(f"the entry {shown(entry.filename)} is encrypted")
    if sum(entry.file_size for entry in entries) > len(data):
        _refuse("its entries together are larger than the file")
    if entries and min(entry.header_offset for entry in entries) != 0:
        _refuse("there are bytes before its first entry")


def _prefix(names: list[str]) -> str:
    pickles = [name for name in names if name.partition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise NotACheckpointError(
            "a zip archive without the data.pkl that torch.save writes; if it holds a checkpoint, "
            "unpack it and give the file inside"
        )
    prefix = pickles[0].removesuffix("data.pkl")
    if not all(name.startswith(prefix) for name in names):
        _refuse("entries in several folders")
    return prefix


def _check_contents(archive: zipfile.ZipFile) -> None:
    for entry in archive.infolist():
        if entry.filename.endswith("data.pkl") and entry.file_size > MAX_PICKLE_BYTES:
            _refuse(f"a pickle of {entry.file_size:,} bytes; {MAX_PICKLE_BYTES:,} at most")
    broken = archive.testzip()
    if broken is not None:
        raise DamagedFileError(
            f"corrupt: the checksum of its entry {shown(broken)} is wrong; fetch it again"
        )


def _refuse(why: str) -> NoReturn:
    raise UnsafeCheckpointError(
        f"refused: {why}. torch.save does not write such archives; save it again: "
        'torch.save(torch.load(path, weights_only=True), "weights.pt")'
    )
