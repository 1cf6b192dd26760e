"""A network that is left exactly as it was, whatever its forward pass does to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine.pruning.surgery.tensors import kept_tensors
from engine.runtime.attention import attention_in_the_open
from engine.runtime.recurrent import recurrence_in_the_open


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """The network in evaluation, without what it keeps of former calls; afterwards as before."""
    before = [(module, dict(vars(module))) for module in model.modules()]
    kept = [(each, dict(each)) for module in model.modules() for each in kept_tensors(module)]
    buffers = [(b, b.detach().clone(), b._version) for b in model.buffers()]
    try:
        for module, _ in before:
            module.training = False
        for each, _ in kept:
            each.clear()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
        for each, its_own in kept:
            each.clear()
            each.update(its_own)
        with torch.no_grad():
            for buffer, value, version in buffers:
                if buffer._version != version:
                    buffer.copy_(value)


@contextmanager
def plain_operations(model: nn.Module) -> Iterator[None]:
    """Attention and recurrent layers in operations that can be followed, not in one kernel."""
    with attention_in_the_open(), sdpa_kernel(SDPBackend.MATH), recurrence_in_the_open(model):
        yield
