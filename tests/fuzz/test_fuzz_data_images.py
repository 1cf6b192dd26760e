"""Damaged images of every format: pixels, or words."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from budget import rounds
from data_fuzz import accepted, damaged, fuzzed
from PIL import Image

from engine.data.sources.raster import NotAnImage, open_image, raster_of

pytestmark = pytest.mark.slow


def examples() -> list[bytes]:
    """An image in every format, mode and packing that Pillow can write."""
    random = np.random.default_rng(0)
    colour = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    deep = Image.fromarray(random.integers(0, 65_536, (12, 16), dtype=np.uint16))
    frames = {"save_all": True, "append_images": [colour.rotate(90), colour.rotate(180)]}
    wanted: list[tuple[Image.Image, str, dict]] = [
        *((colour.convert(mode), "PNG", {}) for mode in ("RGB", "L", "1", "P", "RGBA", "LA")),
        (deep, "PNG", {}),
        (colour, "PNG", frames),
        (colour.convert("P"), "PNG", {"transparency": 3}),
        *((colour.convert(mode), "JPEG", {}) for mode in ("RGB", "L", "CMYK")),
        (colour, "JPEG", {"progressive": True, "comment": "x" * 100}),
        (colour, "GIF", frames),
        (colour.convert("L"), "GIF", {}),
        *((colour.convert(mode), "BMP", {}) for mode in ("RGB", "L", "1", "P", "RGBA")),
        *((colour, "TIFF", {"compression": packing})
          for packing in ("raw", "tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate")),
        *((colour.convert("1"), "TIFF", {"compression": f"group{n}"}) for n in (3, 4)),
        (deep, "TIFF", {}),
        (colour.convert("CMYK"), "TIFF", {}),
        (colour, "TIFF", frames),
        (colour, "WEBP", {}),
        (colour.convert("RGBA"), "WEBP", {"lossless": True}),
        (colour, "WEBP", frames),
        *((colour.convert(mode), "PPM", {}) for mode in ("RGB", "L", "1")),
        (deep, "PPM", {}),
    ]  # fmt: skip
    found = []
    for image, kind, options in wanted:
        file = io.BytesIO()
        image.save(file, kind, **options)
        found.append(file.getvalue())
    plain = " ".join(str(value) for value in np.asarray(colour).ravel())
    found.append(f"P3\n16 12\n255\n{plain}\n".encode())
    found.append(b"P1\n# a comment\n4 4\n0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1\n")
    return found


def decoded(content: bytes) -> np.ndarray:
    pixels_HWC = raster_of(open_image(content)).pixels_HWC
    assert pixels_HWC.ndim == 3 and pixels_HWC.shape[2] in (1, 3) and pixels_HWC.size
    assert pixels_HWC.dtype in (np.uint8, np.uint16)
    return pixels_HWC


def test_every_example_can_be_decoded():
    assert all(accepted(lambda content=content: decoded(content)) for content in examples())


@pytest.mark.filterwarnings("ignore")
def test_damaged_images_are_pixels_or_words(tmp_path):
    known = examples()

    def one(source: random.Random) -> bool:
        content = damaged(source.choice(known), source, known)
        return accepted(lambda: decoded(content), NotAnImage)

    report = fuzzed(rounds(20), one, tmp_path / "log")
    assert not report.faults, "\n".join(report.faults)
    assert 0 < report.accepted < report.tries
