"""The data sets that have a name of their own, with what is known of them before they are read."""

from __future__ import annotations

from typing import NamedTuple


class KnownData(NamedTuple):
    """A known data set in words, and what its images are."""

    words: str
    channels: int
    classes: int


KNOWN_DATA = {
    "cifar10": KnownData("60,000 colour images; downloaded", 3, 10),
    "cifar100": KnownData("60,000 colour images; downloaded", 3, 100),
    "svhn": KnownData("99,289 colour images of digits; downloaded", 3, 10),
    "stl10": KnownData("13,000 colour images of 96×96; downloaded", 3, 10),
    "fashion-mnist": KnownData("70,000 grey images; downloaded", 1, 10),
    "mnist": KnownData("70,000 grey images of digits; downloaded", 1, 10),
    "kmnist": KnownData("70,000 grey images of characters; downloaded", 1, 10),
    "sample": KnownData("12,000 grey images of Fashion-MNIST; bundled", 1, 10),
    "fashion-sample": KnownData("another name of the sample", 1, 10),
}
