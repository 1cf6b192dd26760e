"""Copies of a network that cost no memory."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

from torch import nn


def sharing_copy(model: nn.Module) -> nn.Module:
    """A copy whose modules are its own and whose tensors are the network's: for hooks, and for a
    thread, since a forward pass may leave its marks on modules."""
    tensors = chain(model.parameters(), model.buffers())
    memo: dict[int, Any] = {id(tensor): tensor for tensor in tensors}
    return copy.deepcopy(model, memo)
