"""The importance of blocks and filters: every criterion by its name."""

from __future__ import annotations

import torch
from torch import nn

from engine.data import ImageData, Images
from engine.device import Execution
from engine.kl import kl_scores
from engine.kl_fast import kl_fast_scores
from engine.monitor import Monitor
from engine.scores import Criterion, Scores
from engine.structure import structure_of

__all__ = ["CRITERIA", "Criterion", "Scores", "kl_fast_scores", "kl_scores", "l1_scores"]


def l1_scores(
    model: nn.Module, images: Images, data: ImageData, execution: Execution, monitor: Monitor
) -> Scores:
    """The mean absolute weight of a filter, and of a block's convolutions (Li et al., 2017).

    Within a convolution it ranks as the L1 norm does; the mean makes layers of different fan-in
    comparable. No images are looked at.
    """
    structure = structure_of(model)
    filters = {}
    for group in structure.filter_groups:
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


CRITERIA: dict[str, Criterion] = {
    "kl": kl_scores,
    "kl-fast": kl_fast_scores,
    "l1": l1_scores,
}
