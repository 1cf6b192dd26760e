"""Whether images are held in memory or decoded when they are needed: chosen by their size."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.errors import DataError
from engine.contracts.loaders import AUTO, MEMORY, STREAMING
from engine.contracts.message_text import plain
from engine.data.sources.collector import Collected
from engine.data.sources.limits import COPIES, available_bytes, in_gb
from engine.data.sources.raster import NotAnImage, open_image
from engine.data.sources.resizing import Target
from engine.data.sources.source import EncodedImages, Source

# Of the memory that is free: two candidates recover at once, each in a process of its own.
MEMORY_SHARE = 0.5
CHANNELS = 3  # as long as nobody has looked


@dataclass(frozen=True)
class Chosen:
    """A loader, and what a person is told of the choice."""

    loader: str
    note: str | None = None


def chosen_loader(asked: str, source: Source, size: Target | None) -> Chosen:
    """The loader for a source that is asked for, `auto` by the size of its images.

    Raises DataError where what is asked for cannot be: arrays are in memory as they are.
    """
    if source.images is None:
        if asked == STREAMING:
            raise DataError(
                "--loader streaming is for images in folders, zips and tar shards; these are one "
                "array a split, which is read whole: leave it out"
            )
        return Chosen(MEMORY)
    if asked != AUTO:
        return Chosen(asked)
    num_bytes, free = _decoded_bytes(source.images, size), available_bytes()
    if num_bytes is None or free is None or COPIES * num_bytes <= MEMORY_SHARE * free:
        return Chosen(MEMORY)
    collected = source.images.collected
    return Chosen(
        STREAMING,
        f"images are decoded when they are needed (streaming): the {collected.num_images:,} of "
        f"{plain(collected.name)} would be {in_gb(num_bytes)} in memory, twice that while they are "
        f"split, and {in_gb(free)} are free; --loader memory holds them there all the same",
    )


def _decoded_bytes(images: EncodedImages, size: Target | None) -> int | None:
    """An estimate, by the first image where no size is given; None where that cannot be read."""
    if size is not None:
        pixels = size.image_size**2
    else:
        try:
            pixels = _first_pixels(images.collected, images)
        except (DataError, NotAnImage):  # whoever decodes it says why
            return None
    return CHANNELS * images.collected.num_images * pixels


def _first_pixels(collected: Collected, images: EncodedImages) -> int:
    entry, _ = next(iter(collected.splits.values()))[0]
    width, height = open_image(images.place.read(entry.raw)).size
    return width * height
