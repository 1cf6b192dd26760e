"""Whether decoded images and labels can be a data set at all."""

from __future__ import annotations

from collections.abc import Mapping

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain
from engine.data.images import Decoded


def check(raw: Decoded) -> None:
    """Raises DataError, naming the split and what is wrong with it."""
    name = plain(raw.name)
    num_classes = len(raw.classes)
    check_num_classes(name, num_classes)
    shapes = {key: raw.arrays[key].shape[1:] for key in raw.arrays if key.startswith("x_")}
    if any(0 in shape for shape in shapes.values()):
        raise DataError(f"the images of {name} have no pixels: {_words(shapes)}")
    if len(set(shapes.values())) > 1:
        raise DataError(
            f"the splits of {name} differ in image size: {_words(shapes)} (height, width, "
            "channels); save all at one size, or give --image-size"
        )
    for key, labels_N in raw.arrays.items():
        if not key.startswith("y_"):
            continue
        split = key[2:]
        check_one_of_each(split, name, len(labels_N), num_classes)
        num_images = len(raw.arrays[f"x_{split}"])
        if len(labels_N) != num_images:
            raise DataError(
                f"split {split!r} of {name} has {num_images:,} images and {len(labels_N):,} labels;"
                " as many labels as images are needed"
            )
        low, high = int(labels_N.min()), int(labels_N.max())
        if low < 0 or high >= num_classes:
            raise DataError(
                f"labels of split {split!r} run from {low} to {high}, but {name} has "
                f"{num_classes} classes; labels must be 0 to {num_classes - 1}"
            )


def check_num_classes(name: str, num_classes: int) -> None:
    """Raises DataError where there is nothing to tell apart."""
    if num_classes < 2:
        raise DataError(f"{name} has {num_classes} class; at least two are needed")


def check_one_of_each(split: str, name: str, num_images: int, num_classes: int) -> None:
    """Raises DataError for a split that cannot hold an image of every class."""
    if num_images < num_classes:
        raise DataError(
            f"split {split!r} of {name} has {num_images} images, fewer than "
            f"its {num_classes} classes"
        )


def _words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{key} {'×'.join(map(str, shape))}" for key, shape in shapes.items())
