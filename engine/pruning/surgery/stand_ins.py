"""What stands in the place of a block that is gone."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.edits import Removal


class Skip(nn.Module):
    """Gives the first tensor that it gets, or zeros of its shape; None for further results."""

    def __init__(self, zeros: bool = False, num_results: int = 0) -> None:
        super().__init__()
        self.zeros, self.num_results = zeros, num_results

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        x = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        result = torch.zeros_like(x) if self.zeros else x
        return (result, *[None] * (self.num_results - 1)) if self.num_results else result

    def extra_repr(self) -> str:
        return "zeros" if self.zeros else ""


def stand_in_for(removal: Removal, model: nn.Module) -> nn.Module:
    """The module for a block's place; for one that is deleted, something to delete."""
    skip = Skip(removal.how == "zeros", removal.num_results)
    if removal.how != "hollow":
        return skip
    return _hollow(model.get_submodule(removal.path), skip)


def _hollow(module: nn.Module, skip: Skip) -> nn.Module:
    """A copy of a block without numbers that passes its input on: it still is of its class and has
    its attributes, for networks that look at them (nn.TransformerEncoder does)."""
    memo: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        empty = tensor.detach().new_empty(0)
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(empty, requires_grad=False) if is_parameter else empty
    copied = copy.deepcopy(module, memo)

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return skip(*args, **kwargs)

    kind = type(module)
    copied.__class__ = type(f"Hollow{kind.__name__}", (kind,), {"forward": forward})
    return copied
