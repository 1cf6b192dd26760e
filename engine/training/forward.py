"""A forward pass as training does it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.models.outputs import output_of
from engine.runtime.device import autocast_dtype, torch_device
from engine.tasks import Inputs
from engine.tasks.batch import run_on


def logits_of(model: nn.Module, inputs: Inputs, execution: Execution) -> Tensor:
    """The logits in float32, computed in the execution's precision."""
    device = torch_device(execution)
    with torch.autocast(
        device.type, dtype=autocast_dtype(execution), enabled=execution.autocast is not None
    ):
        return output_of(run_on(model, inputs)).float()
