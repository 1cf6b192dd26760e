"""In which order a network's weights and images lie in memory while it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.models.cifar_resnet import CifarResNet
from engine.tasks.batch import Inputs, mapped

# On CPUs without AVX-512, oneDNN's gradient of a strided 1×1 convolution over fewer channels than
# this writes past its buffer, where channels come last: the process dies, soon or later.
_FEWEST_CHANNELS = 8


def training_format(model: nn.Module) -> torch.memory_format:
    """Channels last for CIFAR ResNets, which are quicker so; as they are for all others."""
    if isinstance(model, CifarResNet) and not _has_written_past(model):
        return torch.channels_last
    return torch.contiguous_format


def laid_out(inputs: Inputs, model: nn.Module) -> Inputs:
    """A batch's inputs in the order in memory that the network is trained in. A network that views
    its maps as rows bears no other one."""
    if _has_written_past(model):
        # What has one channel counts as contiguous and is taken as channels last all the same.
        return mapped(inputs, lambda tensor: tensor.clone(memory_format=torch.contiguous_format))
    return inputs if isinstance(model, CifarResNet) else mapped(inputs, Tensor.contiguous)


def _has_written_past(model: nn.Module) -> bool:
    return any(map(_is_written_past, model.modules()))


def _is_written_past(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and max(module.stride) > 1
        and module.in_channels < _FEWEST_CHANNELS
    )
