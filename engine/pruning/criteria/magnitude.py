"""Importance by the size of weights."""

from __future__ import annotations

import torch
from torch import nn

from engine.contracts.networks import Execution
from engine.data import ImageData, Images
from engine.pruning.scores import Scores
from engine.pruning.structure import structure_of
from engine.runtime.progress import Monitor


def l1_scores(
    model: nn.Module, images: Images, data: ImageData, execution: Execution, monitor: Monitor
) -> Scores:
    """The mean absolute weight of a filter, and of a block's convolutions (Li et al., 2017).

    Within a convolution it ranks as the L1 norm does; the mean makes layers of different fan-in
    comparable. No images are looked at.
    """
    structure = structure_of(model)
    filters = {}
    for group in structure.groups:
        convolution = model.get_submodule(group.path)
        assert isinstance(convolution, nn.Conv2d)
        weight = convolution.weight.detach()
        filters[group.path] = tuple(weight.abs().double().mean((1, 2, 3)).tolist())
    blocks = {}
    for block in structure.blocks:
        weights = [
            m.weight.detach().abs().double().flatten()
            for m in model.get_submodule(block.path).modules()
            if isinstance(m, nn.Conv2d)
        ]
        blocks[block.path] = float(torch.cat(weights).mean())
    return Scores(blocks, filters)
