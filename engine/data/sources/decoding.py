"""Collected images decoded into arrays: one size, as many channels as the most colourful needs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain, shown
from engine.data.images import Decoded
from engine.data.sources.collector import Collected
from engine.data.sources.conversions import Conversions
from engine.data.sources.entries import Entry
from engine.data.sources.limits import refuse_beyond_memory
from engine.data.sources.raster import (
    NotAnImage,
    Raster,
    open_image,
    raster_as_before,
    raster_of,
    scaled,
)
from engine.data.sources.resizing import Target
from engine.data.sources.sizes import Size, two_sizes
from engine.data.sources.source import Progress

TOLD_EVERY = 512


@dataclass(frozen=True)
class _Reader:
    """Turns an entry into pixels; whatever goes wrong is told with its name."""

    read: Callable[[Entry], bytes]
    to_raster: Callable[[Image.Image], Raster]

    def open(self, entry: Entry) -> Image.Image:
        content = self.read(entry)
        try:
            return open_image(content)
        except NotAnImage as error:
            raise _unreadable(entry, error) from error

    def pixels(self, entry: Entry, image: Image.Image) -> Raster:
        try:
            return self.to_raster(image)
        except NotAnImage as error:
            raise _unreadable(entry, error) from error

    def size(self, entry: Entry) -> Size:
        return self.open(entry).size


def decode(
    data: Collected,
    read: Callable[[Entry], bytes],
    on_progress: Progress | None,
    *,
    size: Target | None = None,
    as_before: bool = False,
) -> Decoded:
    """The arrays of a collected data set, brought to a size where one is given; else all images
    must have the same. Raises DataError."""
    reader = _Reader(read, raster_as_before if as_before else raster_of)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about single files: they would flood a log
        return _decode(data, reader, size, on_progress)


def _decode(
    data: Collected, reader: _Reader, target: Target | None, on_progress: Progress | None
) -> Decoded:
    first = next(iter(data.splits.values()))[0][0]
    size = reader.size(first) if target is None else (target.image_size, target.image_size)
    _refuse_without_room(data, size)
    conversions = Conversions()
    arrays: dict[str, np.ndarray] = {}
    done = 0
    for split, members in data.splits.items():
        pixels_NHWC = np.empty((0, 0, 0, 1), np.uint8)
        for position, (entry, _) in enumerate(members):
            image = reader.open(entry)
            if target is None and image.size != size:
                raise two_sizes(data, reader.size, first, entry)
            raster = reader.pixels(entry, image)
            conversions.note(entry, split, position, raster)
            pixels_HWC = scaled(raster.pixels_HWC)
            if target is not None:
                pixels_HWC = target.applied(pixels_HWC)
            if position == 0:
                pixels_NHWC = np.empty((len(members), *pixels_HWC.shape), np.uint8)
            if pixels_HWC.shape[2] > pixels_NHWC.shape[3]:
                pixels_NHWC = np.repeat(pixels_NHWC, pixels_HWC.shape[2], axis=3)
            pixels_NHWC[position] = pixels_HWC  # grey ones are the same in each channel
            done += 1
            if on_progress and (done % TOLD_EVERY == 0 or done == data.num_images):
                on_progress("decoding images", done, data.num_images)
        arrays[f"x_{split}"] = pixels_NHWC
        arrays[f"y_{split}"] = np.array([number for _, number in members], dtype=np.int64)
    _take_shallow_ones_as_they_are(data, reader, target, conversions, arrays)
    _give_all_the_same_channels(data, conversions, arrays)
    return Decoded(data.name, data.classes, True, arrays, tuple(conversions.notes()))


def _refuse_without_room(data: Collected, size: Size) -> None:
    width, height = size
    refuse_beyond_memory(
        plain(data.name),
        3 * data.num_images * width * height,
        f"its {data.num_images:,} images of {width}×{height} pixels",
        "leave out --loader memory, use fewer or smaller images",
    )


def _take_shallow_ones_as_they_are(
    data: Collected, reader: _Reader, target: Target | None, conversions: Conversions,
    arrays: dict[str, np.ndarray],
) -> None:  # fmt: skip
    """Images of 16 bits that use only 8 of them, all of them: scaled they would be black."""
    if not conversions.is_shallow:
        return
    for split, position in conversions.deep:
        entry = data.splits[split][position][0]
        pixels_HWC = reader.pixels(entry, reader.open(entry)).pixels_HWC.astype(np.uint8)
        if target is not None:
            pixels_HWC = target.applied(pixels_HWC)
        arrays[f"x_{split}"][position] = pixels_HWC


def _give_all_the_same_channels(
    data: Collected, conversions: Conversions, arrays: dict[str, np.ndarray]
) -> None:
    """Three where any image has colour; one where some grey images are only saved in colour."""
    if not (conversions.num_colour and conversions.num_grey):
        return
    keys = [f"x_{split}" for split in data.splits]
    conversions.shows_colour = not all(_is_grey(arrays[key]) for key in keys)
    for key in keys:
        pixels_NHWC = arrays[key]
        if not conversions.shows_colour:
            arrays[key] = np.ascontiguousarray(pixels_NHWC[..., :1])
        elif pixels_NHWC.shape[3] == 1:
            arrays[key] = np.repeat(pixels_NHWC, 3, axis=3)


def _is_grey(pixels_NHWC: np.ndarray) -> bool:
    return all(bool((image == image[..., :1]).all()) for image in pixels_NHWC)


def _unreadable(entry: Entry, error: NotAnImage) -> DataError:
    return DataError(
        f"{shown(entry.path)} cannot be read as an image: it {error}; remove or replace it"
    )
