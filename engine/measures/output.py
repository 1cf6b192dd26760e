"""The module whose input is what a network makes of its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.models.outputs import output_of
from engine.tasks import Inputs
from engine.tasks.batch import run_on


@torch.inference_mode()
def output_module_of(model: nn.Module, example: Inputs) -> str:
    """The path of the module whose input is a network's representation of its inputs: the last
    one with a weight whose result is the network's, else the last one with a weight that ran.

    The network is run once, in eval mode, and left as it was. Raises EngineError.
    """
    ended: list[tuple[str, object]] = []

    def hook(path: str) -> Any:
        return lambda module, inputs, result: ended.append((path, result))

    found = [(path, module) for path, module in model.named_modules() if _is_weighted(module)]
    handles = [module.register_forward_hook(hook(path)) for path, module in found]
    was_training = model.training
    try:
        logits = output_of(run_on(model.eval(), example))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    if not ended:
        raise EngineError(
            "no module of the network has a weight and runs, so nothing tells what it takes "
            "its inputs for; give a network of torch.nn's modules"
        )
    makers = [path for path, result in ended if _is_same(result, logits)]
    return makers[-1] if makers else ended[-1][0]


def _is_weighted(module: nn.Module) -> bool:
    """Whether it has a matrix of its own, and no module inside that has numbers."""
    if any(True for child in module.children() for _ in child.parameters()):
        return False
    return any(tensor.dim() > 1 for tensor in module.parameters(recurse=False))


def _is_same(result: object, logits: Tensor) -> bool:
    """Whether the values are the very same, seen perhaps in another shape."""
    if not isinstance(result, Tensor) or result.numel() != logits.numel():
        return False
    return result is logits or result.data_ptr() == logits.data_ptr()
