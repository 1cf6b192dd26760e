"""Tensors that several things share: copies of a network that cost no memory, and their end."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import chain
from typing import Any

from torch import Tensor, nn


def sharing_copy(model: nn.Module) -> nn.Module:
    """A copy whose modules are its own and whose tensors are the network's: for hooks, and for a
    thread, since a forward pass may leave its marks on modules."""
    tensors = chain(model.parameters(), model.buffers())
    memo: dict[int, Any] = {id(tensor): tensor for tensor in tensors}
    return copy.deepcopy(model, memo)


def apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict to be written: dense, on the CPU, and tied tensors each on its own."""
    seen: set[int] = set()
    found = {}
    for name, value in state.items():
        tensor = value.detach().cpu().contiguous()
        if tensor.untyped_storage().data_ptr() in seen:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        found[name] = tensor
    return found
