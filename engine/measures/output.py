"""The module whose input is what a network makes of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.models.outputs import output_of
from engine.tasks import Inputs
from engine.tasks.batch import run_on


@dataclass(frozen=True, eq=False)
class Ended:
    """A call of a module: `ended` is its place among all calls as they ended, `began` the number of
    those that had ended when it began."""

    path: str
    began: int
    ended: int
    result: object

    def holds(self, other: Ended) -> bool:
        """Whether another one lies inside it."""
        return self.began < other.ended < self.ended


def has_matrix(module: nn.Module) -> bool:
    """Whether a module has a matrix of its own: only such ones can be a network's output module."""
    return any(tensor.dim() > 1 for tensor in module.parameters(recurse=False))


def output_module(calls: Sequence[Ended], logits: Tensor) -> str | None:
    """The path of the module whose input is a network's representation: of the calls of modules
    with a matrix the last one whose result is the network's (seen perhaps in another shape), else
    the last one; and where such calls lie inside that one, the same of these.

    For a head with a scale of its own around a dense layer it is the dense layer; attention that
    uses its children's weights without calling them is it itself.
    """
    found: Ended | None = None
    while calls:
        makers = [call for call in calls if _is_same(call.result, logits)]
        outer = max(makers or calls, key=lambda call: call.ended)
        found, calls = outer, [call for call in calls if outer.holds(call)]
    return None if found is None else found.path


@torch.inference_mode()
def output_module_of(model: nn.Module, example: Inputs) -> str:
    """The path of the output module of a network.

    The network is run once, in eval mode, and left as it was. Raises EngineError.
    """
    ended: list[Ended] = []
    begun: list[int] = []

    def before(module: nn.Module, inputs: Any) -> None:
        begun.append(len(ended))

    def after(path: str) -> Any:
        return lambda module, inputs, result: ended.append(
            Ended(path, begun.pop(), len(ended) + 1, result)
        )

    found = [(path, module) for path, module in model.named_modules() if has_matrix(module)]
    handles = [module.register_forward_pre_hook(before) for _, module in found]
    handles += [module.register_forward_hook(after(path)) for path, module in found]
    was_training = model.training
    try:
        logits = output_of(run_on(model.eval(), example))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    path = output_module(ended, logits)
    if path is None:
        raise EngineError(
            "no module of the network has a weight and runs, so nothing tells what it takes "
            "its inputs for; give a network of torch.nn's modules"
        )
    return path


def _is_same(result: object, logits: Tensor) -> bool:
    """Whether a result, or the first of several, holds the very same values."""
    if isinstance(result, list | tuple) and result:
        result = result[0]
    if not isinstance(result, Tensor) or result.numel() != logits.numel():
        return False
    return result is logits or (
        result.data_ptr() == logits.data_ptr() and result.dtype == logits.dtype
    )
