"""The data sets that torchvision downloads."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.contracts.errors import DataError
from engine.contracts.message_text import LONGEST_MESSAGE, plain
from engine.data.folders import cache_folder
from engine.data.images import Decoded
from engine.data.sources.names import TORCHVISION


def read_torchvision(name: str) -> Decoded:
    """A data set by its name here, downloaded once. Raises DataError."""
    import torchvision

    class_name, flips = TORCHVISION[name]
    make = getattr(torchvision.datasets, class_name)
    splits = ({"split": "train"}, {"split": "test"}) if name in ("svhn", "stl10") else (
        {"train": True}, {"train": False})  # fmt: skip
    folder = cache_folder() / "downloads"
    try:
        train, test = (make(str(folder), download=True, **split) for split in splits)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} could not be downloaded: {plain(str(error))}. Put the files that torchvision "
            f"downloads elsewhere into {plain(str(folder), LONGEST_MESSAGE)}, or give its images "
            "with --data: a folder or .zip of train/<class>/* and test/<class>/*, or an .npz"
        ) from error
    arrays: dict[str, np.ndarray] = {}
    for key, dataset in (("train", train), ("test", test)):
        arrays[f"x_{key}"] = _pixels(name, dataset)
        labels: Any = dataset.labels if hasattr(dataset, "labels") else dataset.targets
        arrays[f"y_{key}"] = np.asarray(labels, dtype=np.int64)
    classes = getattr(train, "classes", None) or range(int(arrays["y_train"].max()) + 1)
    return Decoded(name, tuple(str(c) for c in classes), flips, arrays)


def _pixels(name: str, dataset: Any) -> np.ndarray:
    pixels = np.asarray(dataset.data)
    if name in ("svhn", "stl10"):  # these two keep their channels first
        pixels = pixels.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels[..., None] if pixels.ndim == 3 else pixels)
