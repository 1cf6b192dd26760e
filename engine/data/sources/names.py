"""The data sets that have a name of their own."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from engine.contracts.data_names import KNOWN_DATA

SAMPLE_NAMES = ("sample", "fashion-sample")
# torchvision class, whether a mirrored image keeps its class
TORCHVISION: dict[str, tuple[str, bool]] = {
    "cifar10": ("CIFAR10", True),
    "cifar100": ("CIFAR100", True),
    "fashion-mnist": ("FashionMNIST", True),
    "mnist": ("MNIST", False),
    "kmnist": ("KMNIST", False),
    "svhn": ("SVHN", False),
    "stl10": ("STL10", True),
}
KNOWN_NAMES = tuple(KNOWN_DATA)


def sample_file(name: str) -> Path:
    """A file of the bundled sample."""
    return Path(str(resources.files("sample_checkpoints") / name))
