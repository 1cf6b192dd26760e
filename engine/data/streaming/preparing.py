"""From an image's bytes to pixels that a network may see, drawn anew for each epoch of a training.

Draws are an image's own: they follow from a seed and its number, whoever prepares it and when.
Shape legend: H height, W width, C channels.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from engine.contracts.errors import DataError
from engine.data.augment import CROP_PADDING
from engine.data.sources.raster import open_image, raster_of, scaled
from engine.data.sources.resizing import Target

# What torchvision's training recipes cut out: its share of the area, its width by its height.
AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
TRIES = 10


@dataclass(frozen=True)
class Draws:
    """What training draws for one image: the seed, and the colour that it is padded with."""

    seed: int
    fill: tuple[int, ...]


class Transforms(Protocol):
    """A person's own way from an image to pixels (H, W, C) in uint8. Raises DataError."""

    def __call__(self, image: Image.Image, seed: int | None) -> np.ndarray: ...


@dataclass(frozen=True)
class Preparation:
    """How images become pixels (H, W, C) in uint8: in how many channels and of what size."""

    channels: int
    target: Target | None
    flips: bool
    transforms: Transforms | None = None

    def __call__(self, content: bytes, draws: Draws | None) -> np.ndarray:
        """An image's pixels; those of an evaluation where there are no draws. Raises NotAnImage."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about single files
            pixels_HWC = scaled(raster_of(open_image(content)).pixels_HWC)
        if self.channels > pixels_HWC.shape[2]:
            pixels_HWC = np.repeat(pixels_HWC, self.channels, axis=2)
        if self.transforms is not None:
            return self.transforms(_as_image(pixels_HWC), None if draws is None else draws.seed)
        if draws is None:
            return pixels_HWC if self.target is None else self.target.applied(pixels_HWC)
        generator = torch.Generator().manual_seed(draws.seed)
        if self.target is None:
            return _shifted(pixels_HWC, draws.fill, self.flips, generator)
        return random_resized_crop(pixels_HWC, self.target.image_size, self.flips, generator)


def random_resized_crop(
    pixels_HWC: np.ndarray, size: int, flips: bool, generator: torch.Generator
) -> np.ndarray:
    """A random part at that size, mirrored half of the time.

    The draws and pixels are those of torchvision.transforms.v2 (RandomResizedCrop, then
    RandomHorizontalFlip) after torch.manual_seed; a global state is not touched.
    """
    height, width = pixels_HWC.shape[:2]
    top, left, rows, columns = _part(height, width, generator)
    part = _as_image(pixels_HWC[top : top + rows, left : left + columns])
    if part.size != (size, size):
        part = part.resize((size, size), Image.Resampling.BILINEAR)
    if flips and float(torch.rand(1, generator=generator)) < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _as_pixels(part)


def _part(height: int, width: int, generator: torch.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of a random part, as torchvision draws them."""

    def between(low: float, high: float) -> float:
        return float(torch.empty(1).uniform_(low, high, generator=generator))

    def below(most: int) -> int:
        return int(torch.randint(0, most + 1, size=(1,), generator=generator))

    low, high = torch.log(torch.tensor(RATIO)).tolist()
    for _ in range(TRIES):
        area = height * width * between(*AREA)
        ratio = float(torch.exp(torch.empty(1).uniform_(low, high, generator=generator)))
        columns, rows = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < columns <= width and 0 < rows <= height:
            return below(height - rows), below(width - columns), rows, columns
    # The middle, as far as the ratio allows.
    rows, columns = height, width
    if width / height < RATIO[0]:
        rows = round(width / RATIO[0])
    elif width / height > RATIO[1]:
        columns = round(height * RATIO[1])
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def _shifted(
    pixels_HWC: np.ndarray, fill: tuple[int, ...], flips: bool, generator: torch.Generator
) -> np.ndarray:
    """Moved by up to CROP_PADDING pixels, the rim filled; mirrored half of the time."""
    height, width, channels = pixels_HWC.shape
    pad = CROP_PADDING
    padded = np.empty((height + 2 * pad, width + 2 * pad, channels), np.uint8)
    padded[:] = fill
    padded[pad : pad + height, pad : pad + width] = pixels_HWC
    top, left = torch.randint(0, 2 * pad + 1, (2,), generator=generator).tolist()
    part = padded[top : top + height, left : left + width]
    mirrored = flips and float(torch.rand(1, generator=generator)) < 0.5
    return np.ascontiguousarray(part[:, ::-1] if mirrored else part)


def _as_image(pixels_HWC: np.ndarray) -> Image.Image:
    pixels = pixels_HWC[..., 0] if pixels_HWC.shape[2] == 1 else pixels_HWC
    return Image.fromarray(np.ascontiguousarray(pixels))


def _as_pixels(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def check_shape(pixels_HWC: np.ndarray, expected: tuple[int, int, int]) -> None:
    """Raises DataError where an image has another size than the first one had."""
    if pixels_HWC.shape != expected:
        there, wanted = ("×".join(map(str, shape)) for shape in (pixels_HWC.shape, expected))
        raise DataError(
            f"it has {there} values (height, width, channels) where the first image has {wanted}; "
            "all need one size"
        )
