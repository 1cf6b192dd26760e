"""Small data sets as files, for the tests of what reads them."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog")
IDX = {"x_train": "train-images-idx3-ubyte", "y_train": "train-labels-idx1-ubyte",
       "x_test": "t10k-images-idx3-ubyte", "y_test": "t10k-labels-idx1-ubyte"}  # fmt: skip


def pixels(number: int, mode: str = "RGB", size: int = 8) -> Image.Image:
    """An image that differs from those of other numbers."""
    random = np.random.default_rng(number)
    image = Image.fromarray(random.integers(0, 256, (size, size, 3), dtype=np.uint8))
    return image.convert(mode)


def image_folder(
    folder: Path,
    splits: Iterable[str] = ("train", "test"),
    classes: Iterable[str] = CLASSES,
    each: int = 6,
    mode: str = "RGB",
    suffix: str = ".png",
) -> Path:
    """`each` images of every class in every split; no two are equal."""
    number = 0
    classes = tuple(classes)
    for split in splits:
        for class_name in classes:
            place = folder / split / class_name
            place.mkdir(parents=True, exist_ok=True)
            for index in range(each):
                number += 1
                pixels(number, mode).save(place / f"{index:03}{suffix}")
    return folder


def zip_of(folder: Path, archive: Path, top: str = "", method: int = zipfile.ZIP_STORED) -> Path:
    """A zip of a folder's files, below `top`."""
    with zipfile.ZipFile(archive, "w", method) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, f"{top}{path.relative_to(folder).as_posix()}")
    return archive


def arrays(num: int = 40, size: int = 8, classes: int = 4, channels: int = 3):
    """Images (N, H, W, C) and labels (N,)."""
    random = np.random.default_rng(num)
    shape = (num, size, size, channels)
    return random.integers(0, 256, shape, dtype=np.uint8), np.arange(num) % classes


def npz_of(path: Path, **changes) -> str:
    """An .npz as it should be, but for the changes; None leaves an array out."""
    x, y = arrays()
    x_test, y_test = arrays(20)
    content = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test, **changes}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return str(path)


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def idx_folder(folder: Path, suffix: str = "", **changes: bytes) -> Path:
    """The four files of MNIST's layout; `changes` are whole files by their array's name."""
    x, y = arrays(channels=1)
    x_test, y_test = arrays(20, channels=1)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"x_train": x[..., 0], "y_train": y, "x_test": x_test[..., 0], "y_test": y_test}
    for key, name in IDX.items():
        raw = changes.get(key, idx_bytes(content[key]))
        if suffix == ".gz" and key not in changes:
            raw = gzip.compress(raw, mtime=0)
        (folder / f"{name}{suffix}").write_bytes(raw)
    return folder


def save_png16(path: Path, pixels_HW: np.ndarray) -> None:
    """A PNG of 16 bits, grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_HW.astype(np.uint16)).save(path)
