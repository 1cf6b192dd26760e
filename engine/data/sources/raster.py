"""One image file as pixels: only raster formats of a fixed list, sizes checked before decoding."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.data.sources.limits import MOST_PIXELS

# By their first bytes, whatever the file's name says. Pillow knows more, among them EPS, for which
# it would start Ghostscript: a program that the sender of an image could then drive.
MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    *((b"P%d" % number, "PPM") for number in range(1, 7)),
)
# What is often met under an image's name.
OTHERS = (
    (b"%!PS", "PostScript, a program rather than an image"),
    (b"\xc5\xd0\xd3\xc6", "PostScript, a program rather than an image"),
    (b"%PDF", "a PDF"),
    (b"<", "a page of HTML, SVG or XML"),
    (b"\0\x05\x16\x07", "a leftover of macOS (AppleDouble)"),
    (b"version https://git-lfs", "a placeholder of Git LFS: fetch its content with `git lfs pull`"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"PK\x03\x04", "a zip"),
)
READ = "JPEG, PNG, BMP, GIF, WebP, TIFF and PPM are read"
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
DEEPEST = 65_535
ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
KNOWN_MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", *ALPHA_MODES)
# All that Pillow raises on files that are not what they say.
PILLOW_ERRORS = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError,
                 AttributeError, OverflowError, NotImplementedError, RuntimeError,
                 AssertionError, ArithmeticError, struct.error, zlib.error,
                 Image.DecompressionBombError)  # fmt: skip


class NotAnImage(Exception):
    """Why a file cannot be read as an image, in words that follow its name."""


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels (H, W, C), uint8 or, of deep images, uint16; and how they were converted."""

    pixels_HWC: np.ndarray
    converted: str | None = None


def open_image(content: bytes) -> Image.Image:
    """An image of which only the header has been read. Raises NotAnImage."""
    kind = _kind(content)
    try:
        image = Image.open(io.BytesIO(content), formats=(kind,))
    except Image.DecompressionBombError as error:
        raise NotAnImage(_too_large("of its pixels")) from error
    except PILLOW_ERRORS as error:
        raise NotAnImage(f"is a damaged {kind}: its header cannot be read") from error
    except MemoryError as error:  # a header that asks for more than there is
        raise NotAnImage(f"is a damaged {kind}: its header cannot be read") from error
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise NotAnImage(_too_large(f"of {width:,}×{height:,} pixels"))
    return image


def raster_of(image: Image.Image) -> Raster:
    """The first frame of an open image. Raises NotAnImage."""
    try:
        raster = _raster(image)
        if image.format in ("GIF", "PNG", "WEBP", "TIFF") and _has_more_frames(image):
            return Raster(raster.pixels_HWC, "several frames, of which the first was taken")
        return raster
    except PILLOW_ERRORS as error:
        cut = "truncated" in str(error) or isinstance(error, EOFError)
        what = "is cut short" if cut else f"is a damaged {image.format}"
        raise NotAnImage(f"{what}: its pixels cannot be decoded") from error
    except MemoryError as error:
        raise NotAnImage("needs more memory than there is") from error


def raster_as_before(image: Image.Image) -> Raster:
    """Pixels as earlier versions made them: 16 bits clipped rather than scaled."""
    try:
        mode = "L" if image.mode in ("L", "1", "I;16") else "RGB"
        pixels = np.asarray(image.convert(mode))
    except PILLOW_ERRORS as error:
        raise NotAnImage("could not be read by earlier versions") from error
    return Raster(pixels[..., None] if pixels.ndim == 2 else pixels)


def scaled(pixels_HWC: np.ndarray) -> np.ndarray:
    """16 bits as 8: 65,535 becomes 255; 8 bits stay."""
    if pixels_HWC.dtype == np.uint8:
        return pixels_HWC
    return ((pixels_HWC.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _raster(image: Image.Image) -> Raster:
    mode = image.mode
    if mode == "RGB" or mode == "L":
        has_alpha = "transparency" in image.info
        pixels = np.asarray(image)
        return Raster(
            pixels if mode == "RGB" else pixels[..., None],
            "transparency dropped" if has_alpha else None,
        )
    if mode in DEEP_MODES:
        return Raster(_deep(np.asarray(image)))
    if mode not in KNOWN_MODES:
        raise NotAnImage(
            f"holds pixels of a kind that is not read (Pillow's mode {mode}); save it with 8 bits "
            "a channel"
        )
    if mode == "1":
        return Raster(np.asarray(image.convert("L"))[..., None])
    pixels = np.asarray(image.convert("RGB"))
    if mode in ALPHA_MODES or "transparency" in image.info:
        return Raster(pixels, "transparency dropped")
    return Raster(pixels, None if mode == "P" else f"converted from {mode} to RGB")


def _deep(pixels_HW: np.ndarray) -> np.ndarray:
    low, high = int(pixels_HW.min()), int(pixels_HW.max())
    if low < 0 or high > DEEPEST:
        raise NotAnImage(
            f"holds values from {low:,} to {high:,}, and at most 16 bits are read; save it with 8 "
            "or 16 bits a channel"
        )
    return pixels_HW.astype(np.uint16)[..., None]


def _has_more_frames(image: Image.Image) -> bool:
    return bool(getattr(image, "is_animated", False))


def _kind(content: bytes) -> str:
    for start, kind in MAGIC:
        if content.startswith(start):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    for start, what in OTHERS:
        if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(start):
            raise NotAnImage(f"is {what}; {READ}")
    raise NotAnImage(f"is no image of a kind that is known here; {READ}")


def _too_large(what: str) -> str:
    return f"is too large, {what}; at most {MOST_PIXELS:,} pixels are decoded of an image"
