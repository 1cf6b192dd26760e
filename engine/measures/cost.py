"""What a network costs: multiply-accumulates and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import flop_registry

from engine.runtime.attention import attention_in_the_open
from engine.runtime.device import device_of
from engine.runtime.dispatch import OperationMode


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
    with _Counting() as counting, attention_in_the_open():
        try:
            model.eval()(image_BCHW)
        finally:
            model.train(was_training)
    return Cost(
        num_macs=counting.num_flops // 2,
        num_params=sum(p.numel() for p in model.parameters()),
    )


class _Counting(OperationMode):
    """Counts by torch's own formulas, as its FlopCounterMode does, which imports the compiler."""

    def __init__(self) -> None:
        super().__init__()
        self.num_flops = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        formula = flop_registry.get(getattr(func, "overloadpacket", None))
        if formula is None and hasattr(func, "decompose"):
            with self:  # in inference mode operations come before they are taken apart
                made = func.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
        result = func(*args, **kwargs)
        if formula is not None:
            self.num_flops += formula(*args, **kwargs, out_val=result)
        return result
