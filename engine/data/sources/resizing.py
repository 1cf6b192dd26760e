"""Images brought to one size, as torchvision's Resize and CenterCrop do with Pillow's images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from engine.contracts.errors import SettingsError
from engine.contracts.message_text import plain
from engine.data.images import Decoded
from engine.data.sources.limits import refuse_beyond_memory

TOLD_EVERY = 512


@dataclass(frozen=True)
class Target:
    """The shorter side becomes `resize` pixels, then the middle square of `image_size` is taken."""

    image_size: int
    resize: int

    @property
    def name(self) -> str:
        return f"{self.resize}-{self.image_size}"

    def applied(self, pixels_HWC: np.ndarray) -> np.ndarray:
        """uint8 pixels (height, width, channels) at the target's size."""
        height, width, channels = pixels_HWC.shape
        shorter = min(height, width)
        new_size = int(self.resize * width / shorter), int(self.resize * height / shorter)
        image = Image.fromarray(pixels_HWC[..., 0] if channels == 1 else pixels_HWC)
        if new_size != (width, height):
            image = image.resize(new_size, Image.Resampling.BILINEAR)
        left, top = (round((side - self.image_size) / 2) for side in new_size)
        box = (left, top, left + self.image_size, top + self.image_size)
        cut = np.asarray(image.crop(box))
        return cut[..., None] if channels == 1 else cut


def target_of(image_size: int | None, resize: int | None) -> Target | None:
    """The target of the settings; None where images stay as they are. Raises SettingsError."""
    if image_size is None:
        if resize is not None:
            raise SettingsError(f"--resize {resize} needs --image-size, the square that is cut out")
        return None
    if resize is not None and resize < image_size:
        raise SettingsError(
            f"--resize {resize} is less than --image-size {image_size}; the square is cut out of "
            "the resized image"
        )
    return Target(image_size, resize or image_size)


def resized(
    data: Decoded, target: Target, on_progress: Callable[[str, int, int], None] | None
) -> Decoded:
    """The data set with all images at that size."""
    keys = [key for key in data.arrays if key.startswith("x_")]
    whole = (target.image_size, target.image_size)
    num_images = sum(len(data.arrays[key]) for key in keys)
    channels = data.arrays[keys[0]].shape[3]
    size = f"{target.image_size}×{target.image_size}"
    refuse_beyond_memory(
        plain(data.name), channels * num_images * target.image_size**2,
        f"its {num_images:,} images at {size} pixels",
    )  # fmt: skip
    arrays, done = dict(data.arrays), 0
    for key in keys:
        new_NHWC = np.empty((len(arrays[key]), *whole, channels), np.uint8)
        for place, pixels_HWC in enumerate(arrays[key]):
            new_NHWC[place] = target.applied(pixels_HWC)
            done += 1
            if on_progress and (done % TOLD_EVERY == 0 or done == num_images):
                on_progress("resizing images", done, num_images)
        arrays[key] = new_NHWC
    before = "×".join(map(str, data.arrays[keys[0]].shape[1:3]))
    return replace(data, arrays=arrays, notes=(*data.notes, f"resized from {before} to {size}"))
