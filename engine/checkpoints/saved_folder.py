"""What a folder that transformers saved says beside its weights: how images are to be scaled, how
large they are, and what its classes are called.

It came from somewhere else, so only plain values within bounds are taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from engine.checkpoints.errors import ArchitectureError
from engine.contracts.errors import UnusableFileError
from engine.contracts.json_values import JsonValue
from engine.contracts.message_text import plain, shown
from engine.contracts.outside import read_bounded
from engine.models.hugging_face import CONFIG_NAME, MOST_BYTES
from engine.models.libraries import Scaling

PREPROCESSOR_NAME = "preprocessor_config.json"
_SIZES = (8, 4096)  # pixels
_MOST_CLASSES, _LONGEST_NAME = 100_000, 500
_MOST, _LEAST_STD = 1e6, 1e-6


@dataclass(frozen=True)
class FolderWords:
    """What is said; None and empty where nothing is. The shorter side of images becomes `resize`
    pixels before the middle square of `image_size` is cut out."""

    scaling: Scaling | None = None
    image_size: int | None = None
    resize: int | None = None
    classes: tuple[str, ...] = ()  # in the order of the outputs

    @property
    def options(self) -> str:
        """How images of that size are asked for, empty where none is said."""
        if self.image_size is None:
            return ""
        crop = f" --resize {self.resize}" if self.resize not in (None, self.image_size) else ""
        return f"--image-size {self.image_size}{crop}"


NOTHING_SAID = FolderWords()


def words_beside(checkpoint: Path) -> FolderWords:
    """What is said in the folder of a checkpoint. Raises ArchitectureError for values that no image
    can be read by."""
    told = _read(checkpoint.with_name(PREPROCESSOR_NAME))
    scaling, (image_size, resize) = _scaling(told), _sizes(told)
    classes = _classes(_read(checkpoint.with_name(CONFIG_NAME)).get("id2label"))
    return FolderWords(scaling, image_size, resize, classes)


def _read(path: Path) -> Mapping[str, JsonValue]:
    """The values in a file; none where there is no such file."""
    if not path.exists():
        return {}
    try:
        told = json.loads(read_bounded(path, MOST_BYTES))
    except (UnusableFileError, ValueError, RecursionError) as error:
        raise ArchitectureError(
            f"{path.name} beside it cannot be read ({plain(str(error))}); give the folder as the "
            "library saved it"
        ) from error
    if not isinstance(told, dict):
        raise ArchitectureError(
            f"{path.name} beside it holds no settings; give the folder as it was"
        )
    return told


def _scaling(told: Mapping[str, JsonValue]) -> Scaling | None:
    """Mean and deviation of pixels between 0 and 1 that come to the same."""
    if "image_mean" not in told or "image_std" not in told:
        return None
    factor = 1.0  # of a pixel between 0 and 1
    if not told.get("do_rescale", True):
        factor = 255.0
    elif "rescale_factor" in told:
        factor = 255 * _numbers(told, "rescale_factor")[0]
    if not _LEAST_STD <= factor <= _MOST:
        _refuse("rescale_factor", told["rescale_factor"])
    means, deviations = _numbers(told, "image_mean"), _numbers(told, "image_std")
    if not told.get("do_normalize", True):
        means, deviations = (0.0,) * len(means), (1.0,) * len(deviations)
    if len(means) != len(deviations) or min(deviations) < _LEAST_STD:
        _refuse("image_std", told["image_std"])
    offset = 1.0 if told.get("rescale_offset") is True else 0.0
    mean = tuple(round((value + offset) / factor, 12) for value in means)
    return mean, tuple(round(value / factor, 12) for value in deviations)


def _sizes(told: Mapping[str, JsonValue]) -> tuple[int | None, int | None]:
    """The side of the squares that it takes, and of what they are cut out of."""
    if not told.get("do_resize", True) or "size" not in told:
        return None, None
    resize = _side(told, "size")
    if told.get("do_center_crop") and "crop_size" in told:
        return _side(told, "crop_size"), resize
    return resize, None


def _side(told: Mapping[str, JsonValue], name: str) -> int | None:
    """A number, a square, or a shorter side; None for what is none of these."""
    value = told[name]
    if isinstance(value, Mapping):
        sides = [value.get(key) for key in ("height", "width", "shortest_edge")]
        given = [side for side in sides if side is not None]
        if not given or any(side != given[0] for side in given):
            return None
        value = given[0]
    if type(value) is not int or not _SIZES[0] <= value <= _SIZES[1]:
        _refuse(name, value)
    return value


def _classes(labels: JsonValue) -> tuple[str, ...]:
    """The names of the classes in the order of the outputs; none where they are no such list."""
    if not isinstance(labels, Mapping) or not 0 < len(labels) <= _MOST_CLASSES:
        return ()
    names = [labels.get(str(number)) for number in range(len(labels))]
    texts = [n for n in names if isinstance(n, str) and len(n) <= _LONGEST_NAME]
    return tuple(texts) if len(set(texts)) == len(labels) else ()


def _numbers(told: Mapping[str, JsonValue], name: str) -> tuple[float, ...]:
    value = told[name]
    values = value if isinstance(value, list) else [value]
    numbers = [
        float(v)
        for v in values
        if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= _MOST
    ]  # no NaN either
    if len(numbers) != len(values) or not 0 < len(numbers) <= 64:
        _refuse(name, value)
    return tuple(numbers)


def _refuse(name: str, value: JsonValue) -> NoReturn:
    raise ArchitectureError(
        f"{PREPROCESSOR_NAME} beside it has {plain(json.dumps(value), 80)} as {shown(name)}, by "
        "which no image can be read; correct it there, or take that file out of the folder"
    )
