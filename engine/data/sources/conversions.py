"""What was done to images to have them alike, counted while they are decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from engine.contracts.message_text import shown
from engine.data.sources.entries import Entry, images_of
from engine.data.sources.raster import Raster

DARK = 16_384  # of 65,535: a quarter of the range


@dataclass
class Conversions:
    """Counts by kind, and which images have 16 bits (their split and position)."""

    num_grey: int = 0
    num_colour: int = 0
    first_grey: str = ""
    shows_colour: bool = True  # whether those in colour are not in truth grey
    by_kind: Counter[str] = field(default_factory=Counter)
    deep: list[tuple[str, int]] = field(default_factory=list)
    deepest: int = 0

    @property
    def is_shallow(self) -> bool:
        """Whether all images of 16 bits use only 8 of them."""
        return bool(self.deep) and self.deepest <= 255

    def note(self, entry: Entry, split: str, position: int, raster: Raster) -> None:
        """Counts one image."""
        pixels_HWC = raster.pixels_HWC
        if raster.converted is not None:
            self.by_kind[raster.converted] += 1
        if pixels_HWC.dtype == np.uint16:
            self.deep.append((split, position))
            self.deepest = max(self.deepest, int(pixels_HWC.max()))
        if pixels_HWC.shape[2] == 1:
            self.first_grey = self.first_grey or entry.path
            self.num_grey += 1
        else:
            self.num_colour += 1

    def notes(self) -> Iterator[str]:
        """A line a kind, in words."""
        if self.num_grey and self.num_colour and not self.shows_colour:
            yield f"saved in colour but grey, read as grey: {images_of(self.num_colour)}"
        elif self.num_grey and self.num_colour:
            yield (
                f"grey among {images_of(self.num_colour)} in colour, made three equal channels: "
                f"{images_of(self.num_grey)} ({shown(self.first_grey)}, …)"
            )
        for kind, count in sorted(self.by_kind.items()):
            yield f"{kind}: {images_of(count)}"
        if self.is_shallow:
            yield f"16 bits of which 8 are used, taken as they are: {images_of(len(self.deep))}"
        elif self.deep:
            dark = f"; they are dark, their largest value is {self.deepest:,}"
            yield f"16 bits, scaled to 8 (65,535 becomes 255): {images_of(len(self.deep))}" + (
                dark if self.deepest < DARK else ""
            )
