"""What every image of a data set is, known without decoding it: its checksum, its size, its mode.

Each file is read once. What was seen is kept on disk by the file's name, size and time of change,
so that only what has changed since is read again. Shape legend: N images.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from engine.contracts.errors import DataError
from engine.contracts.files import write_atomically
from engine.contracts.message_text import plain, shown
from engine.data.folders import NoCacheFolderError, cache_folder
from engine.data.sources.entries import Entry
from engine.data.sources.raster import DEEP_MODES, KNOWN_MODES, NotAnImage, open_image
from engine.data.sources.source import Place, Progress
from engine.data.streaming.shared import SharedArray

CACHE_FORMAT = 1
THREADS = 8  # disks and networks give more to several who ask at once
AT_ONCE = 4_096  # images between two looks at whether to stop
SAVED_EVERY = 200_000  # images: who interrupts the first look does not begin anew
MODES = (*KNOWN_MODES, *DEEP_MODES)
CHECKSUM_BYTES = 16
_ROW = np.dtype(
    [("stamp", "<u8"), ("high", "<u8"), ("low", "<u8"), ("width", "<u4"), ("height", "<u4"),
     ("mode", "u1")]
)  # fmt: skip
_CHECKSUM = np.dtype([("high", "<u8"), ("low", "<u8")])


def checksum(content: bytes) -> bytes:
    """What an image's bytes are known by."""
    return hashlib.blake2b(content, digest_size=CHECKSUM_BYTES).digest()


@dataclass(frozen=True, eq=False)
class Contents:
    """The rows of some images in their order."""

    rows: SharedArray

    @property
    def rows_N(self) -> np.ndarray:
        return self.rows.array

    def __len__(self) -> int:
        return len(self.rows_N)

    def checksum(self, number: int) -> bytes:
        row = self.rows_N[number]
        return int(row["high"]).to_bytes(8, "big") + int(row["low"]).to_bytes(8, "big")

    @property
    def checksums_N(self) -> np.ndarray:
        """As pairs of numbers, in one block of memory."""
        pairs_N = np.empty(len(self), _CHECKSUM)
        for name in ("high", "low"):
            pairs_N[name] = self.rows_N[name]
        return pairs_N

    def mode(self, number: int) -> str:
        """Pillow's name of how an image's pixels are stored."""
        return MODES[int(self.rows_N[number]["mode"])]

    def modes(self) -> dict[str, int]:
        """How many images there are of each mode."""
        counts = np.bincount(self.rows_N["mode"], minlength=len(MODES))
        return {mode: int(count) for mode, count in zip(MODES, counts, strict=True) if count}

    def part(self, start: int, stop: int) -> Contents:
        return Contents(SharedArray(self.rows_N[start:stop]))


def contents_of(
    name: str, where: str, entries: Sequence[Entry], place: Place, on_progress: Progress | None
) -> Contents:
    """The contents of entries; of those that are not known yet each file is read.

    `where` names what is kept on disk. Raises DataError naming the first that is no image.
    """
    path = _path(where)
    stamps_N = np.array([_stamp(entry) for entry in entries], dtype=np.uint64)
    known = _read(path)
    missing = np.flatnonzero(~np.isin(stamps_N, known["stamp"])).tolist()
    if missing:
        known = _looked_at(name, entries, stamps_N, missing, place, known, path, on_progress)
    found = known[np.searchsorted(known["stamp"], stamps_N)]
    return Contents(SharedArray(found))


def _looked_at(
    name: str,
    entries: Sequence[Entry],
    stamps_N: np.ndarray,
    missing: list[int],
    place: Place,
    known: np.ndarray,
    path: Path | None,
    on_progress: Progress | None,
) -> np.ndarray:
    """The known rows with those of the missing; kept on disk, also where that breaks off."""
    rows: list[tuple[int, ...]] = []
    faults: list[str] = []

    def kept() -> np.ndarray:
        nonlocal known, rows
        known, rows = _sorted(np.concatenate([known, np.array(rows, dtype=_ROW)])), []
        _write(path, known)
        return known

    def look(number: int) -> tuple[int, ...] | str:
        try:
            return (int(stamps_N[number]), *_row(place.read(entries[number].raw)))
        except NotAnImage as error:
            path = shown(entries[number].path)
            return f"{path} cannot be read as an image: it {error}; remove or replace it"
        except DataError as error:
            return str(error)

    done = 0
    pool = ThreadPoolExecutor(THREADS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about single files
            for numbers in _chunks(missing):
                for row in pool.map(look, numbers):
                    rows.append(row) if isinstance(row, tuple) else faults.append(row)
                    done += 1
                    if on_progress is not None:
                        on_progress("looking through the images", done, len(missing))
                if len(rows) >= SAVED_EVERY:
                    kept()
    finally:
        pool.shutdown(cancel_futures=True)
        kept()
    if faults:
        others = f" ({len(faults):,} such files in all)" if len(faults) > 1 else ""
        raise DataError(f"{plain(name)}: {faults[0]}{others}")
    return known


def _chunks(numbers: list[int]) -> Iterator[list[int]]:
    remaining = iter(numbers)
    while chunk := list(islice(remaining, AT_ONCE)):
        yield chunk


def _row(content: bytes) -> tuple[int, int, int, int, int]:
    """Raises NotAnImage."""
    image = open_image(content)
    if image.mode not in MODES:
        raise NotAnImage(
            f"holds pixels of a kind that is not read (Pillow's mode {image.mode}); save it with 8 "
            "bits a channel"
        )
    digest = checksum(content)
    high, low = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
    return high, low, *image.size, MODES.index(image.mode)


def _stamp(entry: Entry) -> int:
    text = f"{entry.raw}\0{entry.stamp}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _path(where: str) -> Path | None:
    key = hashlib.sha256(os.fsencode(where)).hexdigest()[:32]
    try:
        return cache_folder() / f"images-{key}-{CACHE_FORMAT}.npy"
    except NoCacheFolderError:
        return None


def _sorted(rows_N: np.ndarray) -> np.ndarray:
    return rows_N[np.unique(rows_N["stamp"], return_index=True)[1]]


def _read(path: Path | None) -> np.ndarray:
    found = None
    if path is not None:
        with contextlib.suppress(OSError, ValueError, EOFError, zipfile.BadZipFile):
            found = np.load(path, allow_pickle=False)
    return found if found is not None and _is_whole(found) else np.empty(0, _ROW)


def _is_whole(rows_N: np.ndarray) -> bool:
    if rows_N.dtype != _ROW or rows_N.ndim != 1 or not len(rows_N):
        return False
    stamps_N = rows_N["stamp"]
    return bool((stamps_N[1:] > stamps_N[:-1]).all() and rows_N["mode"].max() < len(MODES))


def _write(path: Path | None, rows_N: np.ndarray) -> None:
    if path is None:
        return

    def save(temporary: Path) -> None:
        with open(temporary, "wb") as file:  # by its name, save would add a suffix
            np.save(file, rows_N)

    with contextlib.suppress(OSError):  # a full cache folder costs time at the next start
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, save)
