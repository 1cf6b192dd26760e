"""Networks whose answers are the labels: in the right layout everything is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from networks import randomise_statistics
from torch import nn

from engine.models import build

NUM_CLASSES, SIZE = 3, 16
ARGUMENTS: dict[str, Any] = {
    "stem_width": 6, "stage_widths": [6, 10, 14], "inner_widths": [[6], [8], [8]],
    "shortcut": "A", "conv_bias": False, "num_classes": NUM_CLASSES, "in_channels": 3,
}  # fmt: skip


def images(count: int, seed: int, size: int = SIZE) -> np.ndarray:
    """Noise of several scales, so that strides and pooling matter."""
    random = np.random.default_rng(seed)
    fine = random.integers(0, 256, (count, size, size, 3))
    coarse = random.integers(0, 256, (count, size // 4, size // 4, 3))
    return ((fine + np.repeat(np.repeat(coarse, 4, 1), 4, 2)) // 2).astype(np.uint8)


@torch.no_grad()
def teacher(seed: int = 0, **layout: Any) -> nn.Module:
    """A network that tells its classes apart about equally often, of images scaled by `half`."""
    model = randomise_statistics(build("cifar_resnet", {**ARGUMENTS, **layout}, seed=seed), seed)
    if "bn_eps" in layout:  # it matters where variances are small
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.mul_(1e-3)
                module.weight.mul_(0.05)
    features = model.features(scaled(images(300, 99)))
    model.fc.weight.copy_(model.fc.weight / features.std(0).clamp(min=1e-3))
    model.fc.bias.copy_(-(features @ model.fc.weight.T).mean(0))
    return model


def scaled(pixels_NHWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels_NHWC).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def make_teacher(model: nn.Module, classifier: nn.Linear, seed: int = 0, size: int = 32) -> None:
    """Makes any network tell its classes apart about equally often, in place."""
    randomise_statistics(model, seed)
    norms = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0  # what images differ by is to reach the classifier
    model(scaled(images(200, 98, size)))
    model.eval()
    seen: list[torch.Tensor] = []
    hook = classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(scaled(images(200, 99, size)))
    hook.remove()
    classifier.weight.copy_(classifier.weight / seen[0].std(0).clamp(min=1e-3))
    classifier.bias.copy_(-(seen[0] @ classifier.weight.T).mean(0))


@torch.no_grad()
def write_lesson(folder: Path, model: nn.Module, num_train: int = 500, size: int = SIZE) -> str:
    """Images with the network's own answers as labels."""
    content = {}
    for split, count, seed in (("train", num_train, 0), ("test", 200, 1)):
        content[f"x_{split}"] = images(count, seed, size)
        content[f"y_{split}"] = model(scaled(content[f"x_{split}"])).argmax(1).numpy()
    np.savez(folder / "lesson.npz", **content, flips=np.array(False))
    return str(folder / "lesson.npz")
