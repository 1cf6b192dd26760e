"""A data set that was found and looked at, but not yet decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.data.images import Decoded

Progress = Callable[[str, int, int], None]  # phase, done, total


@dataclass(frozen=True)
class Source:
    """Something that can be decoded; `key` names its content, or is None where decoding is free.

    `notes` is what was seen before decoding: what is left out, which folder stands for which split.
    `name` is what it is called where it lies now, which what was decoded earlier cannot know.
    `is_sized` where decoding brings the images to the size that was asked for.
    """

    key: str | None
    decode: Callable[[Progress | None], Decoded]
    notes: tuple[str, ...] = ()
    name: str | None = None
    is_sized: bool = False
