"""A person's own images that decide, beside a data set: held against it, and told of.

Shape legend: N images, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from engine.contracts.errors import DataError, OwnValidationError
from engine.contracts.loaders import FROM_FILE
from engine.contracts.message_text import plain
from engine.contracts.networks import OwnValidation, Reading
from engine.data.cache import decoded_of
from engine.data.images import Decoded
from engine.data.sources.resizing import Target
from engine.data.sources.source import EncodedImages, Progress, Source
from engine.data.sources.validation import open_validation
from engine.data.sources.validation_arrays import checked
from engine.data.splits import decided_by


@dataclass(frozen=True, eq=False)
class ArraysThatDecide:
    """The images in memory, as those of the data; `notes` is what a person should know of them."""

    pixels_NHWC: np.ndarray
    labels_N: np.ndarray
    told: OwnValidation
    notes: tuple[str, ...]


def opened(
    place: str,
    reading: Reading,
    classes: tuple[str, ...],
    on_progress: Progress | None,
    size: Target | None,
) -> Source | None:
    """The source of a person's images; None where the reading says that others decide. Raises
    DataError."""
    if reading.validation_from != FROM_FILE:
        return None
    if not place:
        raise OwnValidationError(
            "the validation images of this run are a file or folder of its own, and nothing says "
            "where that lies; give it with --validation-from FILE"
        )
    with _told_as_own():
        return open_validation(place, classes, on_progress, size=size)


@contextmanager
def _told_as_own() -> Iterator[None]:
    """What is wrong with these images is no fault of the data: others end it."""
    try:
        yield
    except DataError as error:
        words, said = str(error), "--validation-from: "
        raise OwnValidationError(words if words.startswith(said) else said + words) from error


def arrays_of(
    source: Source,
    data: Decoded,
    on_progress: Progress | None,
    size: Target | None,
) -> ArraysThatDecide:
    """The images decoded, checked and of the shape of the data's. Raises DataError."""
    with _told_as_own():
        own = checked(decoded_of(source, on_progress, size=size), data.classes)
    pixels_NHWC, notes = _as_in(data, own)
    labels_N = own.arrays["y_val"]
    own = Decoded(own.name, own.classes, own.flips, {"x_val": pixels_NHWC, "y_val": labels_N})
    passed_over = len(data.arrays["y_val"]) if "y_val" in data.arrays else 0
    told = decided_by(own.name, len(labels_N), passed_over)
    return ArraysThatDecide(
        pixels_NHWC, labels_N, OwnValidation(own.name, own.digest), (told, *notes)
    )


def _as_in(data: Decoded, own: Decoded) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pixels with the channels that the data have. Raises DataError where the shape differs."""
    pixels_NHWC, notes = own.arrays["x_val"], own.notes
    shape_HWC = data.arrays["x_train"].shape[1:]
    channels, wanted = pixels_NHWC.shape[3], shape_HWC[2]
    if channels == 1 and wanted == 3:
        pixels_NHWC = np.repeat(pixels_NHWC, 3, axis=3)
        notes = (*notes, "--validation-from: its images are grey, made three equal channels")
    elif channels == 3 and wanted == 1 and bool((pixels_NHWC == pixels_NHWC[..., :1]).all()):
        pixels_NHWC = np.ascontiguousarray(pixels_NHWC[..., :1])
        notes = (*notes, "--validation-from: saved in colour but grey, read as grey")
    if pixels_NHWC.shape[1:] != shape_HWC:
        here, there = ("×".join(map(str, shape)) for shape in (pixels_NHWC.shape[1:], shape_HWC))
        raise OwnValidationError(
            f"--validation-from: the images of {plain(own.name)} are {here}, those of "
            f"{plain(data.name)} {there} (height, width, channels); save them as those are, or "
            "give --image-size, which brings both to one"
        )
    return pixels_NHWC, notes


def encoded_of(source: Source, data_name: str) -> EncodedImages:
    """The images, to be streamed as those of the data are. Raises DataError for arrays."""
    if source.images is None:
        raise OwnValidationError(
            f"--validation-from: the images of {plain(data_name)} are decoded when they are needed "
            "(streaming), and so must those be that decide; give them as a folder, a .zip or tar "
            "shards, or read all into memory (--loader memory)"
        )
    return source.images
