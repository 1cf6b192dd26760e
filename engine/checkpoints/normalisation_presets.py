"""The usual ways to scale the pixels of an image before a network sees it."""

from __future__ import annotations

Channels = tuple[float, ...]

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


def preset_normalisations() -> dict[str, tuple[Channels, Channels]]:
    """(mean, std) by name, a value a channel, of pixels scaled to [0, 1].

    The length of a mean tells for how many channels a preset is (3 or 1).
    """
    return dict(_PRESETS)
