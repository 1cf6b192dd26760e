"""What a network costs: multiply-accumulates and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine.runtime.attention import attention_in_the_open
from engine.runtime.device import device_of


@dataclass(frozen=True)
class Cost:
    """Multiply-accumulates of one image through convolutions and dense layers; parameters."""

    num_macs: int
    num_params: int


@torch.inference_mode()
def cost_of(model: nn.Module, image_shape_HWC: tuple[int, int, int]) -> Cost:
    """The cost of one image (the papers' "FLOPs" are these multiply-accumulates)."""
    height, width, channels = image_shape_HWC
    image_BCHW = torch.zeros(1, channels, height, width, device=device_of(model))
    was_training = model.training
    with FlopCounterMode(display=False) as counter, attention_in_the_open():
        try:
            model.eval()(image_BCHW)
        finally:
            model.train(was_training)
    return Cost(
        num_macs=counter.get_total_flops() // 2,
        num_params=sum(p.numel() for p in model.parameters()),
    )
