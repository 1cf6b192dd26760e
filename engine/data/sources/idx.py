"""IDX files, the format of MNIST: a header with the sizes, then the bytes."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, shown
from engine.contracts.outside import check_regular, open_regular
from engine.data.images import Decoded
from engine.data.sources.entries import readable
from engine.data.sources.limits import DEFLATE_RATIO, MOST_CLASSES, in_gb, refuse_beyond_memory

# The second name of each is how some programs unpack the first.
FILES = {
    "x_train": ("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
    "y_train": ("train-labels-idx1-ubyte", "train-labels.idx1-ubyte"),
    "x_test": ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"),
    "y_test": ("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"),
}
DIMENSIONS = {"x": 3, "y": 1}
UNSIGNED_BYTES = 8
GZIP = b"\x1f\x8b"
ERRORS = (OSError, EOFError, zlib.error, struct.error)


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds the training images of an IDX data set."""
    return _file(folder, "x_train") is not None


def has_idx(folder: Path) -> bool:
    """Whether a folder holds images of either part of an IDX data set."""
    return any(_file(folder, f"x_{split}") is not None for split in ("train", "test"))


def pair_of(folder: Path, split: str) -> dict[str, np.ndarray]:
    """The images (N, H, W, 1) as `x` and labels (N,) as `y` of one part, `train` or `test`; empty
    where it is not there. Raises DataError."""
    paths = {key: _file(folder, f"{key}_{split}") for key in DIMENSIONS}
    if paths["x"] is None:
        return {}
    if paths["y"] is None:
        raise DataError(f"{shown(str(folder))} lacks {FILES[f'y_{split}'][0]} (or .gz)")
    x, y = (_read(path, DIMENSIONS[key]) for key, path in paths.items() if path is not None)
    return {"x": x[..., None], "y": y.astype(np.int64)}


def read_idx(folder: Path) -> Decoded:
    """The data set of a folder with the four files. Raises DataError."""
    arrays = {}
    for key, names in FILES.items():
        path = _file(folder, key)
        if path is None:
            raise DataError(f"{shown(str(folder))} lacks {names[0]} (or {names[0]}.gz)")
        values = _read(path, DIMENSIONS[key[0]])
        arrays[key] = values[..., None] if key.startswith("x_") else values.astype(np.int64)
    num_classes = int(arrays["y_train"].max()) + 1
    assert num_classes <= MOST_CLASSES  # a byte each
    flips = "fashion" in folder.name.lower()
    return Decoded(readable(folder.name), tuple(str(c) for c in range(num_classes)), flips, arrays)


def _file(folder: Path, key: str) -> Path | None:
    candidates = (folder / f"{name}{suffix}" for name in FILES[key] for suffix in ("", ".gz"))
    return next((path for path in candidates if path.exists() or path.is_symlink()), None)


def _read(path: Path, num_dimensions: int) -> np.ndarray:
    """The bytes of a file in the shape of its header; no more than that is ever unpacked."""
    try:
        with _open(path) as file:
            shape = _shape(path, file, num_dimensions)
            num_bytes = prod(shape)
            largest = DEFLATE_RATIO * check_regular(path).st_size
            if num_bytes > largest:
                raise _damaged(path, f"its header promises {in_gb(num_bytes)}")
            refuse_beyond_memory(shown(path.name), num_bytes, "the values of its header")
            content = file.read(num_bytes + 1)
    except UnusableFileError as error:
        raise DataError(in_words(error)) from error
    except ERRORS as error:
        raise _damaged(path, "it cannot be unpacked to its end") from error
    if len(content) != num_bytes:
        more = "more" if len(content) > num_bytes else f"{len(content):,}"
        raise _damaged(path, f"its header promises {num_bytes:,} values, it has {more}")
    return np.frombuffer(content, np.uint8).reshape(shape).copy()  # torch wants to own it


def _shape(path: Path, file: BinaryIO | gzip.GzipFile, num_dimensions: int) -> tuple[int, ...]:
    magic = file.read(4)
    if magic != bytes((0, 0, UNSIGNED_BYTES, num_dimensions)):
        raise DataError(
            f"{shown(path.name)} does not begin as an IDX file of unsigned bytes in "
            f"{num_dimensions} dimension{'s' if num_dimensions > 1 else ''} does (first bytes "
            f"{magic.hex(' ') or 'none'}); fetch it again"
        )
    shape = struct.unpack(f">{num_dimensions}I", file.read(4 * num_dimensions))
    if 0 in shape:
        raise DataError(
            f"{shown(path.name)} is an empty IDX file, of shape {shape}; fetch it again"
        )
    return shape


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    with open_regular(path) as file:
        is_packed = file.read(2) == GZIP
        file.seek(0)
        if not is_packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{shown(path.name)} is cut short or damaged: {why}; fetch it again")
