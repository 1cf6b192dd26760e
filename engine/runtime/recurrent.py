"""Kernels for whole recurrent layers, in which nothing sees what is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def recurrence_in_the_open(model: nn.Module) -> Iterator[None]:
    """Without them where the network has such layers: each of their products is an operation."""
    kernels: tuple[Any, ...] = (torch.backends.mkldnn, torch.backends.cudnn)
    before = [each.enabled for each in kernels]
    try:
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            for each in kernels:
                each.enabled = False
        yield
    finally:
        for each, was_enabled in zip(kernels, before, strict=True):
            each.enabled = was_enabled
