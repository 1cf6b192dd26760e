"""A network in which nothing reads some units any more, for comparison with one that lost them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from engine.contracts.structure import Consumer, UnitGroup


@contextmanager
def masked(group: UnitGroup, units: Sequence[int], model: nn.Module) -> Iterator[nn.Module]:
    """The model, whose consumers get zeros for these units; a copy where a weight that no module's
    input tells of reads them."""
    columns = [c for c in group.consumers if not c.maskable]
    if columns:
        model = copy.deepcopy(model)
        for consumer in columns:
            tensor = model.get_parameter(consumer.tensor)
            with torch.no_grad():
                tensor.index_fill_(consumer.axis, _indices(group, consumer, units), 0)
    with ExitStack() as stack:
        for consumer in group.consumers:
            if consumer.maskable:
                module = model.get_submodule(consumer.module)
                hook = _Mask(module, _indices(group, consumer, units))
                stack.callback(module.register_forward_pre_hook(hook).remove)
        yield model


def _indices(group: UnitGroup, consumer: Consumer, units: Sequence[int]) -> Tensor:
    own = (consumer.tensor, consumer.axis)
    indices = {
        index
        for member in group.members
        if (member.tensor, member.axis) == own
        for index in member.indices(units)
    }
    return torch.tensor(sorted(indices))


class _Mask:
    """Zeros in the place of some channels of a module's input."""

    def __init__(self, module: nn.Module, channels: Tensor) -> None:
        self.is_convolution = isinstance(module, nn.modules.conv._ConvNd)
        self.num_axes = len(module.kernel_size) if self.is_convolution else 0  # type: ignore[arg-type]
        self.channels = channels

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *others = args
        axis = x.dim() - 1 - self.num_axes
        return x.index_fill(axis, self.channels.to(x.device), 0), *others
