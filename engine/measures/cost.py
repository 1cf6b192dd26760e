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
from engine.runtime.recurrent import recurrence_in_the_open
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
    with _Counting() as counting, attention_in_the_open(), recurrence_in_the_open(model):
        try:
            run_on(model.eval(), inputs)
        finally:
            model.train(was_training)
    return Cost(
        num_macs=counting.num_flops // 2 // max(1, example.num_rows),
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
