"""Short names of networks of our own families, such as `resnet56` and `vgg16-bn`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.contracts.errors import SettingsError

_RESNET_DEPTHS = "use 8, 14, 20, 26, 32, 44, 56 or 110"


@dataclass(frozen=True)
class ShortName:
    """What a name says: the kind of network (`SHORT_NAMES`), and the numbers in it."""

    kind: str
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class _Kind:
    pattern: str
    example: str
    # Where depths are a series: times, plus, from, at most, and what is said of another one.
    series: tuple[int, int, int, int, str] | None = None


RESNET = "resnet"
SHORT_NAMES: dict[str, _Kind] = {
    RESNET: _Kind(
        r"resnet-?(\d{1,6})", "resnet56", (6, 2, 8, 10**6, f"is not 6n+2; {_RESNET_DEPTHS}")
    ),
    "resnet-cifar": _Kind(r"resnet-?(18|34|50|101|152)-cifar", "resnet18-cifar"),
    "wide-resnet": _Kind(
        r"(?:wide-?resnet|wrn)-?(\d{1,6})-(\d{1,2})", "wide-resnet16-4",
        (6, 4, 10, 1000, "of a wide ResNet is not 6n+4; use 10, 16, 22, 28 or 40"),
    ),
    "preact-resnet": _Kind(r"preact-?resnet-?(18|34|50|101|152)", "preact-resnet18"),
    "vgg": _Kind(r"vgg-?(11|13|16|19)", "vgg16"),
    "vgg-bn": _Kind(r"vgg-?(11|13|16|19)[-_]?bn", "vgg16-bn"),
    "densenet": _Kind(
        r"densenet-?(\d{1,6})-(\d{1,2})", "densenet40-12",
        (3, 4, 7, 500, "of a DenseNet is not 3n+4; use 22, 40 or 100"),
    ),
    "mobilenet-v2": _Kind(r"mobilenet-?_?v2", "mobilenetv2"),
}  # fmt: skip


def short_name(text: str) -> ShortName:
    """What a short name says. Raises SettingsError."""
    for kind, about in SHORT_NAMES.items():
        match = re.fullmatch(about.pattern, text.strip().lower(), re.ASCII)
        if match is None:
            continue
        numbers = tuple(int(group) for group in match.groups())
        if about.series is not None:
            times, plus, least, most, words = about.series
            if not least <= numbers[0] <= most or (numbers[0] - plus) % times or 0 in numbers:
                raise SettingsError(f"depth {numbers[0]} {words}")
        return ShortName(kind, numbers)
    examples = ", ".join(about.example for about in SHORT_NAMES.values())
    raise SettingsError(
        f"no network or file is called {text[:60]!r}; MODEL is one of {examples} "
        "(docs/networks.md), a file, torchvision.models:NAME, timm:NAME or package.module:factory"
    )
