"""Low-rank additions to weights (Hu et al., 2021), with what is small trained too (PERP)."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from engine.contracts.methods.arguments import LORA, rank_in
from engine.runtime.generators import generator
from engine.training.recoveries.recovery import (
    Asked,
    Recovery,
    RecoveryError,
    scales_and_shifts,
    shifts,
    train_only,
)

_OF_EACH_CLASS = ("__dict__", "__weakref__")
_MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class LowRank(nn.Module):
    """W + up · down, of a rank; nothing at first, since `up` is zero."""

    def __init__(self, weight: Tensor, rank: int, draw: torch.Generator) -> None:
        super().__init__()
        size, inputs = len(weight), weight[0].numel()
        rank = min(rank, size, inputs)
        down = torch.randn((rank, inputs), generator=draw) / inputs**0.5
        self.down = nn.Parameter(down.to(weight))
        self.up = nn.Parameter(weight.new_zeros((size, rank)))

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):  # as it is merged in the end
            return weight + (self.up @ self.down).reshape(weight.shape)


class Lora(Recovery):
    """Additions of a rank to the weights of dense layers and convolutions, biases, and scales and
    shifts of normalisations. In the end they are added: the network has the shapes that it had."""

    def prepare(self, model: nn.Module, asked: Asked) -> None:
        trained = [*scales_and_shifts(model), *shifts(model)]
        shared = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
        layers = [
            (path, module)
            for path, module in model.named_modules()
            if isinstance(module, _MATRICES) and shared[id(module.weight)] == 1
        ]
        if not layers:
            raise RecoveryError(
                f"--recover {LORA}: the network has no dense layer or convolution with a weight of "
                "its own; use --recover norms, biases or full"
            )
        rank = rank_in(asked.value)
        for path, module in layers:
            added = LowRank(module.weight.detach(), rank, generator(asked.seed, LORA, path))
            trained += added.parameters()
            parametrize.register_parametrization(module, "weight", added)
        train_only(model, trained, LORA, "nothing of the network may be trained")

    def finish(self, model: nn.Module) -> None:
        for module in model.modules():
            if is_added_to(module):
                # Merging changes the layer's class, which a copy shares with what it is a copy of.
                own = {k: v for k, v in vars(type(module)).items() if k not in _OF_EACH_CLASS}
                module.__class__ = type(type(module).__name__, type(module).__bases__, own)
                parametrize.remove_parametrizations(module, "weight")


def is_added_to(module: nn.Module) -> bool:
    """Whether a layer's weight is one with a low-rank addition."""
    added = getattr(module, "parametrizations", None)
    if not isinstance(added, nn.ModuleDict) or "weight" not in added:
        return False
    return any(isinstance(each, LowRank) for each in added["weight"].children())
