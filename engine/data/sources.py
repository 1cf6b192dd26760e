"""Where images come from: torchvision's sets, folders, zips, .npz and IDX files, the sample."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from engine.contracts.errors import DataError
from engine.contracts.near import did_you_mean
from engine.data.images import Decoded

Progress = Callable[[str, int, int], None]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")
SAMPLE_NAMES = ("sample", "fashion-sample")
# torchvision class, whether a mirrored image keeps its class
TORCHVISION: dict[str, tuple[str, bool]] = {
    "cifar10": ("CIFAR10", True),
    "cifar100": ("CIFAR100", True),
    "fashion-mnist": ("FashionMNIST", True),
    "mnist": ("MNIST", False),
    "kmnist": ("KMNIST", False),
    "svhn": ("SVHN", False),
    "stl10": ("STL10", True),
}
KNOWN_NAMES = (*TORCHVISION, *SAMPLE_NAMES)
IDX_FILES = {"x_train": "train-images-idx3-ubyte", "y_train": "train-labels-idx1-ubyte",
             "x_test": "t10k-images-idx3-ubyte", "y_test": "t10k-labels-idx1-ubyte"}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Something that can be decoded; `key` names its content, or is None where decoding is free."""

    key: str | None
    decode: Callable[[Progress | None], Decoded]


def sample_file(name: str) -> Path:
    """A file of the bundled sample."""
    return Path(str(resources.files("sample_checkpoints") / name))


def open_source(source: str) -> Source:
    """The source that `--data` names. Raises DataError with the nearest known name."""
    if source in SAMPLE_NAMES:
        return Source(None, lambda _: _read_npz(sample_file("fashion-sample.npz"), True))
    path = Path(source).expanduser()
    if source.lower() in TORCHVISION and not path.exists():
        return Source(f"torchvision-{source.lower()}", lambda _: _read_torchvision(source.lower()))
    if not path.exists():
        hint = did_you_mean(source.lower(), KNOWN_NAMES).rstrip()
        hint = hint or f"known names: {', '.join(TORCHVISION)}"
        raise DataError(f"no data set or file is called {source!r}; {hint}")
    if path.is_dir():
        if _idx_path(path, IDX_FILES["x_train"]) is not None:
            return Source(None, lambda _: _read_idx(path))
        return _folder_source(path)
    if path.suffix == ".npz":
        return Source(None, lambda _: _read_npz(path, True))
    if zipfile.is_zipfile(path):
        return _zip_source(path)
    raise DataError(
        f"{path.name} is neither an .npz nor a .zip of images; give a folder or .zip of "
        "train/<class>/* and test/<class>/*, or an .npz with x_train, y_train, x_test, y_test"
    )


# ---------------------------------------------------------------- image folders and zips


def _folder_source(path: Path) -> Source:
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    stamp = hashlib.sha256()
    for file in files:
        stat = file.stat()
        stamp.update(f"{file.relative_to(path)} {stat.st_size} {stat.st_mtime_ns}\n".encode())

    def decode(on_progress: Progress | None) -> Decoded:
        names = [file.relative_to(path).as_posix() for file in files]
        return _decode_images(path.name, names, lambda n: (path / n).read_bytes(), on_progress)

    return Source(f"folder-{stamp.hexdigest()[:32]}", decode)


def _zip_source(path: Path) -> Source:
    with zipfile.ZipFile(path) as archive:
        infos = [i for i in archive.infolist() if i.filename.lower().endswith(IMAGE_SUFFIXES)]
    infos.sort(key=lambda info: info.filename)
    stamp = hashlib.sha256()
    for info in infos:
        stamp.update(f"{info.filename} {info.file_size} {info.CRC}\n".encode())

    def decode(on_progress: Progress | None) -> Decoded:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in infos]
            return _decode_images(path.stem, names, archive.read, on_progress)

    return Source(f"zip-{stamp.hexdigest()[:32]}", decode)


def _decode_images(
    name: str, files: Sequence[str], read: Callable[[str], bytes], on_progress: Progress | None
) -> Decoded:
    by_split = _by_split(name, files)
    classes = sorted({class_name for _, class_name in by_split["train"]})
    index = {class_name: i for i, class_name in enumerate(classes)}
    arrays: dict[str, np.ndarray] = {}
    done, total = 0, sum(len(entries) for entries in by_split.values())
    for split, entries in by_split.items():
        unknown = sorted({c for _, c in entries} - set(classes))
        if unknown:
            raise DataError(
                f"{name}: class folder {unknown[0]!r} is in {split}/ but not in train/; "
                "both need the same class folders"
            )
        pixels: np.ndarray | None = None
        for position, (file, _) in enumerate(entries):
            image = _decode_image(file, read(file))
            if pixels is None:
                pixels = np.empty((len(entries), *image.shape), dtype=np.uint8)
            if image.shape != pixels.shape[1:]:
                raise DataError(
                    f"{file} is {image.shape[1]}×{image.shape[0]}×{image.shape[2]}, the images "
                    f"before it {pixels.shape[2]}×{pixels.shape[1]}×{pixels.shape[3]}; "
                    "all images need one size"
                )
            pixels[position] = image
            done += 1
            if on_progress and (done % 512 == 0 or done == total):
                on_progress("decoding images", done, total)
        assert pixels is not None
        arrays[f"x_{split}"] = pixels
        arrays[f"y_{split}"] = np.array([index[c] for _, c in entries], dtype=np.int64)
    return Decoded(name, tuple(classes), True, arrays)


def _by_split(name: str, files: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """(file, class) of each split, whatever folder the splits lie in."""
    found: dict[str, list[tuple[str, str]]] = {"train": [], "test": [], "val": []}
    for file in files:
        parts = file.split("/")
        if len(parts) >= 3 and parts[-3] in found:
            found[parts[-3]].append((file, parts[-2]))
    for split in ("train", "test"):
        if not found[split]:
            raise DataError(
                f"{name} has no images in {split}/<class>/; "
                "it needs train/<class>/* and test/<class>/*"
            )
    if not found["val"]:
        del found["val"]
    return found


def _decode_image(file: str, content: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content)) as image:
            mode = "L" if image.mode in ("L", "1", "I;16") else "RGB"
            pixels = np.asarray(image.convert(mode))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{file} cannot be read as an image: {error}; remove or replace it"
        ) from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


# ---------------------------------------------------------------- arrays


def _read_npz(path: Path, flips: bool) -> Decoded:
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name} cannot be read as an .npz: {error}") from error
    missing = [k for k in ("x_train", "y_train", "x_test", "y_test") if k not in content]
    if missing:
        raise DataError(
            f"{path.name} lacks {', '.join(missing)}; it needs x_train, y_train, x_test, y_test"
        )
    arrays = {key: _checked_array(path.name, key, content[key]) for key in content
              if key in ("x_train", "y_train", "x_test", "y_test", "x_val", "y_val")}  # fmt: skip
    num_classes = int(arrays["y_train"].max()) + 1
    names = content.get("classes")
    classes = tuple(str(c) for c in (names if names is not None else range(num_classes)))
    return Decoded(path.stem, classes, bool(content.get("flips", flips)), arrays)


def _checked_array(file: str, key: str, array: np.ndarray) -> np.ndarray:
    if key.startswith("y_"):
        if not np.issubdtype(array.dtype, np.integer) or array.ndim != 1:
            raise DataError(
                f"{key} in {file} is {array.dtype} of shape {array.shape}; "
                "labels must be one integer an image"
            )
        return array.astype(np.int64)
    if array.dtype != np.uint8 or array.ndim not in (3, 4):
        raise DataError(
            f"{key} in {file} is {array.dtype} of shape {array.shape}; images must be uint8, "
            "(N, H, W) or (N, H, W, C)"
        )
    return array[..., None] if array.ndim == 3 else array


def _idx_path(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.exists()), None)


def _read_idx(folder: Path) -> Decoded:
    arrays = {}
    for key, name in IDX_FILES.items():
        path = _idx_path(folder, name)
        if path is None:
            raise DataError(f"{folder} lacks {name} (or {name}.gz)")
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        dimensions = content[3]
        shape = np.frombuffer(content, ">u4", dimensions, 4).astype(int)
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
        arrays[key] = values[..., None] if key.startswith("x_") else values.astype(np.int64)
    num_classes = int(arrays["y_train"].max()) + 1
    flips = "fashion" in folder.name.lower()
    return Decoded(folder.name, tuple(str(c) for c in range(num_classes)), flips, arrays)


# ---------------------------------------------------------------- torchvision


def _read_torchvision(name: str) -> Decoded:
    import torchvision

    from engine.data.folders import cache_folder

    class_name, flips = TORCHVISION[name]
    make = getattr(torchvision.datasets, class_name)
    splits = ({"split": "train"}, {"split": "test"}) if name in ("svhn", "stl10") else (
        {"train": True}, {"train": False})  # fmt: skip
    try:
        train, test = (
            make(str(cache_folder() / "downloads"), download=True, **split) for split in splits
        )
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} could not be downloaded: {error}; give a local copy with --data DIR"
        ) from error
    arrays: dict[str, np.ndarray] = {}
    for key, dataset in (("train", train), ("test", test)):
        arrays[f"x_{key}"] = _torchvision_pixels(name, dataset)
        labels: Any = dataset.labels if hasattr(dataset, "labels") else dataset.targets
        arrays[f"y_{key}"] = np.asarray(labels, dtype=np.int64)
    classes = getattr(train, "classes", None) or range(int(arrays["y_train"].max()) + 1)
    return Decoded(name, tuple(str(c) for c in classes), flips, arrays)


def _torchvision_pixels(name: str, dataset: Any) -> np.ndarray:
    pixels = np.asarray(dataset.data)
    if name in ("svhn", "stl10"):  # these two keep their channels first
        pixels = pixels.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels[..., None] if pixels.ndim == 3 else pixels)
