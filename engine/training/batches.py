"""How the images of an epoch are cut into batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.contracts.errors import EngineError
from engine.data import ImageData


def batches_of(model: nn.Module, data: ImageData, batch_size: int) -> Sequence[slice]:
    """The batches of an epoch; the last one is what is left over.

    A single image left over goes to the batch before it where the network could not train on it
    alone. Raises EngineError where there is none before it.
    """
    num_images = len(data.train)
    batches = [
        slice(start, min(start + batch_size, num_images))
        for start in range(0, num_images, batch_size)
    ]
    if num_images % batch_size != 1 % batch_size or not _needs_two(model, data):
        return batches
    if batch_size == 1 or len(batches) < 2:
        raise EngineError(
            "the network cannot be trained on one image at a time: for images of "
            f"{data.image_shape_HWC[1]}×{data.image_shape_HWC[0]} pixels its last maps have one "
            "value a channel, and batch normalisation needs two; use --batch-size 2 or more, and "
            "at least two training images"
        )
    return [*batches[:-2], slice(batches[-2].start, num_images)]


def _needs_two(model: nn.Module, data: ImageData) -> bool:
    """Whether a batch norm sees a single value a channel when one image goes through."""
    found = []

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        found.append(inputs[0].numel() == inputs[0].shape[1])

    height, width, channels = data.image_shape_HWC
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    was_training = model.training
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, channels, height, width, device=device))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return any(found)
