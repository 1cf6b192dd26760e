"""What a network costs: multiply-accumulates and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine.runtime.attention import attention_in_the_open
from engine.runtime.device import device_of
from engine.tasks import Batch
from engine.tasks.batch import run_on


@dataclass(frozen=True)
class Cost:
    """Multiply-accumulates of one row (an image, a token) through convolutions and dense layers;
    parameters."""

    num_macs: int
    num_params: int


@torch.inference_mode()
def cost_of(model: nn.Module, example: Batch) -> Cost:
    """The cost of a row, seen on an example of one item (the papers' "FLOPs" of an image are these
    multiply-accumulates)."""
    inputs = example.to(device_of(model)).inputs
    was_training = model.training
    with FlopCounterMode(display=False) as counter, attention_in_the_open():
        try:
            run_on(model.eval(), inputs)
        finally:
            model.train(was_training)
    return Cost(
        num_macs=counter.get_total_flops() // 2 // max(1, example.num_rows),
        num_params=sum(p.numel() for p in model.parameters()),
    )
