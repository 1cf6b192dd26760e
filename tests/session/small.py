"""A tree that grows in seconds: a tiny trained-from-scratch network on separable images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.checkpoints import write as checkpoint
from engine.contracts.networks import Architecture, DataDescription
from engine.models import build
from explorer.session.open_run import Request

ARGUMENTS = {
    "stem_width": 4,
    "stage_widths": [4, 6],
    "inner_widths": [[4, 4, 4], [6, 6, 6]],
    "shortcut": "A",
    "conv_bias": False,
    "num_classes": 3,
    "in_channels": 1,
}
OPTIONS = {
    "criterion_samples": 4,
    "recovery_epochs": 1,
    "tune_epochs": 2,
    "num_resamples": 20,
    "batch_size": 16,
    "iterations": 2,
    "min_blocks": 1,
}


def write_data(folder: Path, num_train: int = 90) -> Path:
    """Noise with a bright bar whose place is the class."""
    random = np.random.default_rng(0)

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 3
        images = random.integers(0, 120, (count, 8, 8), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 1] += 120
        return images, labels

    path = folder / "bars.npz"
    x_train, y_train = split(num_train)
    x_test, y_test = split(30)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test,
             flips=np.array(False))  # fmt: skip
    return path


def write_network(folder: Path, name: str = "tiny.pt") -> Path:
    """A freshly initialised network as a checkpoint of ours."""
    path = folder / name
    architecture = Architecture("cifar_resnet", ARGUMENTS)
    model = build("cifar_resnet", ARGUMENTS, seed=1)
    about = DataDescription(name="bars", mean=(0.3,), std=(0.2,), classes=("0", "1", "2"))
    checkpoint.save(path, architecture, model.state_dict(), about, {})
    return path


def request_of(files, store: Path, **overrides) -> Request:
    """To grow a tree of these files, (network, data), with OPTIONS but for what is given."""
    model, data = files
    return Request(str(model), store=store, overrides={**OPTIONS, "data": str(data), **overrides})
