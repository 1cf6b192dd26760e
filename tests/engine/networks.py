"""Random networks and small data for the engine's tests."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import nn

from engine.contracts.networks import Execution, Scores
from engine.contracts.structure import NetworkStructure
from engine.data import ImageData, Images
from engine.models import build
from engine.pruning.criteria import Criterion
from engine.pruning.structure import structure_of
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import ImageTask

CPU = Execution(device="cpu", num_threads=1, autocast=None)


def randomise_statistics(model: nn.Module, seed: int) -> nn.Module:
    """Batch norms as training leaves them, so that a mistake in them shows."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 1.5),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.3, 0.3),
            ):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
    return model.eval()


@st.composite
def architectures(draw, max_blocks: int = 3, max_width: int = 6) -> dict:
    """Arguments of CIFAR ResNets of one to three stages and any widths."""
    num_stages = draw(st.integers(1, 3))
    stem = draw(st.integers(2, max_width))
    stage_widths = [stem]
    for _ in range(num_stages - 1):
        stage_widths.append(stage_widths[-1] + draw(st.integers(1, 4)))
    inner = [
        draw(st.lists(st.integers(1, max_width), min_size=1, max_size=max_blocks))
        for _ in range(num_stages)
    ]
    return {
        "stem_width": stem,
        "stage_widths": stage_widths,
        "inner_widths": inner,
        "shortcut": draw(st.sampled_from(["A", "B", "conv"])),
        "conv_bias": draw(st.booleans()),
        "num_classes": draw(st.integers(2, 6)),
        "in_channels": draw(st.sampled_from([1, 3])),
    }


def network(arguments: dict, seed: int = 0) -> nn.Module:
    return randomise_statistics(build("cifar_resnet", arguments, seed=seed), seed)


def small_data(num: int = 24, channels: int = 3, classes: int = 3, size: int = 8) -> ImageData:
    generator = torch.Generator().manual_seed(5)

    def split(count: int) -> Images:
        shape = (count, size, size, channels)
        pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        return Images(pixels, torch.arange(count) % classes)

    return ImageData(
        name="noise",
        classes=tuple(str(c) for c in range(classes)),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        flips=True,
        train=split(num),
        validation=split(num),
        test=split(num),
        digest="noise",
    )


def scored(
    criterion: Criterion,
    model: nn.Module,
    data: ImageData,
    execution: Execution = CPU,
    *,
    structure: NetworkStructure | None = None,
    monitor: Monitor = SILENT,
) -> Scores:
    """The scores of a network on all training images of `data`."""
    structure = structure or structure_of(model)
    return criterion(model, structure, *everything(data), execution, monitor)


def everything(data: ImageData) -> tuple[ImageTask, torch.Tensor]:
    """A task, and all its training items."""
    return ImageTask(data), torch.arange(len(data.train))
