"""The usual ways to scale the pixels of an image before a network sees it."""

from __future__ import annotations

import math

from engine.contracts.errors import SettingsError
from engine.contracts.message_text import shown
from engine.contracts.near import did_you_mean

Channels = tuple[float, ...]
OF_THE_DATA = "data"

_PRESETS: dict[str, tuple[Channels, Channels]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    # The mean over images of each image's own deviation: wrong as a deviation of the data, but
    # copied from repository to repository, so that many networks were trained with it.
    "cifar10-common": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "bytes": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),  # pixels as they are, from 0 to 255
    "fashion-mnist": ((0.2860,), (0.3530,)),
    "mnist": ((0.1307,), (0.3081,)),
    "half-grey": ((0.5,), (0.5,)),
    "none-grey": ((0.0,), (1.0,)),
    "bytes-grey": ((0.0,), (1 / 255,)),
}


def said_normalisation(
    text: str, channels: int, of_the_data: tuple[Channels, Channels]
) -> tuple[Channels, Channels]:
    """The (mean, std) that a person says: a name of ours, `data` for those of the training images,
    or MEAN:STD, a number a channel (or one for all). Raises SettingsError."""
    if text == OF_THE_DATA:
        return of_the_data
    known = {name: found for name, found in _PRESETS.items() if len(found[0]) == channels}
    if text in known:
        return known[text]
    mean, _, std = text.partition(":")
    found = _numbers(mean, channels), _numbers(std, channels)
    if found[0] is None or found[1] is None or not all(0 < each < 1e6 for each in found[1]):
        raise SettingsError(
            f"--normalisation {shown(text)}: {did_you_mean(text, (*known, OF_THE_DATA))}give "
            f"{', '.join(known)}, {OF_THE_DATA} (of the training images), or MEAN:STD of pixels "
            f"from 0 to 1, {channels} numbers each: 0.49,0.48,0.45:0.25,0.24,0.26"
        )
    return found[0], found[1]


def _numbers(text: str, channels: int) -> Channels | None:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    found = found * channels if len(found) == 1 else found
    return found if len(found) == channels and all(map(math.isfinite, found)) else None


def preset_normalisations() -> dict[str, tuple[Channels, Channels]]:
    """(mean, std) by name, a value a channel, of pixels scaled to [0, 1].

    The length of a mean tells for how many channels a preset is (3 or 1).
    """
    return dict(_PRESETS)
