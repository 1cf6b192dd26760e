"""Weights that are computed anew in every step (weight norm, spectral norm and the like), as plain
ones: a reader of fewer inputs would be normalised to something else, so nothing could go."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm


@torch.enable_grad()  # without which the values would be no parameters
def with_plain_weights(model: nn.Module) -> int:
    """Leaves the values that weights have in evaluation, in place; so many were replaced."""
    count = 0
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            count += _without_parametrizations(module)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
                count += 1
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
                count += 1
    return count


def _without_parametrizations(module: nn.Module) -> int:
    parametrizations = module.parametrizations
    assert isinstance(parametrizations, nn.ModuleDict)
    names = list(parametrizations)
    parametrizations.eval()  # a spectral norm goes on with its iteration in training
    for name in names:
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return len(names)
