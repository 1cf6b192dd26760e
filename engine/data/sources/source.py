"""A data set that was found and looked at, but not yet decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.data.images import Decoded
from engine.data.sources.collector import Collected

Progress = Callable[[str, int, int], None]  # phase, done, total


class Place(Protocol):
    """Gives the bytes of an image by what its source calls it: `Entry.raw`. Raises DataError.

    It can be sent to another process, and be asked by several threads.
    """

    def read(self, raw: str) -> bytes: ...


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Images that need not all be decoded at once: which there are, and where they are read.

    `where` names the folder or file, for what is kept on disk about its images.
    """

    collected: Collected
    place: Place
    where: str


@dataclass(frozen=True)
class Source:
    """Something that can be decoded; `key` names its content, or is None where decoding is free.

    `notes` is what was seen before decoding: what is left out, which folder stands for which split.
    `name` is what it is called where it lies now, which what was decoded earlier cannot know.
    `is_sized` where decoding brings the images to the size that was asked for. `images` are there
    where single ones can be read.
    """

    key: str | None
    decode: Callable[[Progress | None], Decoded]
    notes: tuple[str, ...] = ()
    name: str | None = None
    is_sized: bool = False
    images: EncodedImages | None = None
