"""Images as people keep them in arrays, as uint8 (N, H, W, C).

Shape legend: N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engine.contracts.errors import DataError

Arrays = dict[str, np.ndarray]
NEEDED = "images must be uint8, (N, H, W) or (N, H, W, C)"
CHANNELS = (1, 3)  # of images whose channels come first
CHANNELS_LAST = (1, 2, 3, 4)
CHUNK = 1_024  # images: no float copy of a whole data set
CLOSE = 1e-3  # of a step of 1/255: float32 rounds, and so does whoever divides


def as_images(file: str, found: Mapping[str, np.ndarray]) -> tuple[Arrays, tuple[str, ...]]:
    """The pixels of each split, and what was done to have them. Raises DataError."""
    for name, array in found.items():
        if array.size == 0:
            raise DataError(f"{name} in {file} is empty (shape {array.shape}); {NEEDED}")
        if array.ndim not in (3, 4):
            raise _refused(file, name, array)
    images, notes = dict(found), []
    if all(_has_channels_first(array) for array in images.values()):
        images = {name: array.transpose(0, 2, 3, 1) for name, array in images.items()}
        notes.append("images of (N, C, H, W) are read as (N, H, W, C)")
    if any(array.dtype != np.uint8 for array in images.values()):
        images, note = _as_bytes(file, images)
        notes.append(note)
    return {
        name: np.ascontiguousarray(array[..., None] if array.ndim == 3 else array)
        for name, array in images.items()
    }, tuple(notes)


def _has_channels_first(array: np.ndarray) -> bool:
    """Whether only the axis behind the first can be that of the channels.

    Where both ends look like channels ((N, 3, 32, 3)), the last is: the layout that is asked for.
    """
    return array.ndim == 4 and array.shape[1] in CHANNELS and array.shape[3] not in CHANNELS_LAST


def _as_bytes(file: str, images: Arrays) -> tuple[Arrays, str]:
    """Other numbers as uint8, where nothing is lost by it."""
    for name, array in images.items():
        if array.dtype.kind not in "iuf":
            raise _refused(file, name, array)
    ranges = {name: _range(array) for name, array in images.items()}
    is_float = any(array.dtype.kind == "f" for array in images.values())
    # One scale for all splits: a test split may be dark.
    scale = 255 if is_float and max(high for _, high in ranges.values()) <= 1 else 1
    converted = {}
    for name, array in images.items():
        low, high = ranges[name]
        if not (low >= 0 and high * scale <= 255):  # also where one is no number
            raise _refused(file, name, array, low, high)
        pixels = np.empty(array.shape, np.uint8)
        for part in _parts(len(array)):
            values = array[part].astype(np.float64) * scale
            rounded = np.rint(values)
            if np.abs(values - rounded).max() > CLOSE * scale:
                raise _refused(file, name, array, low, high)
            pixels[part] = rounded
        converted[name] = pixels
    kinds = ", ".join(sorted({str(array.dtype) for array in images.values()}))
    to = "times 255, " if scale == 255 else ""
    return converted, f"images of {kinds} are read as uint8 ({to}nothing is lost)"


def _range(array: np.ndarray) -> tuple[float, float]:
    lows, highs = [], []
    for part in _parts(len(array)):
        lows.append(float(array[part].min()))
        highs.append(float(array[part].max()))
    return float(np.min(lows)), float(np.max(highs))


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


def _refused(
    file: str, name: str, array: np.ndarray, low: float | None = None, high: float | None = None
) -> DataError:
    values = "" if low is None else f", with values from {low:g} to {high:g}"
    return DataError(
        f"{name} in {file} is {array.dtype} of shape {array.shape}{values}; {NEEDED}"
        f"{_remedy(name, array, low, high)}"
    )


def _remedy(name: str, array: np.ndarray, low: float | None, high: float | None) -> str:
    """A line that makes images of them."""
    if array.ndim == 2 and array.dtype.kind in "biuf":
        for channels in CHANNELS:
            side = round((array.shape[1] / channels) ** 0.5)
            if side > 0 and channels * side * side == array.shape[1]:
                shape = (-1, side, side) if channels == 1 else (-1, channels, side, side)
                return f": {name} = {name}.reshape{shape}"
    if array.dtype.kind == "b":
        return f": {name} = {name}.astype(np.uint8) * 255"
    if low is None or high is None or not np.isfinite([low, high]).all():
        return ""
    if low == high:
        return ""
    span = f"({name} - {low:g}) / {high - low:g}" if low < 0 or high > 255 else name
    factor = "" if high > 1 and low >= 0 and high <= 255 else "255 * "
    return (
        f": {name} = np.clip(np.rint({factor}{span}), 0, 255).astype(np.uint8), the same for all "
        "splits"
    )
