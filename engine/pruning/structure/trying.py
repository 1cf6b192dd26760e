"""Whether a network runs on an example at all, and gives the same each time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.pruning.structure.probing import in_short
from engine.pruning.structure.recording import NETWORK_ERRORS, Example

DRAWS = 16  # runs of a network that draws random numbers, to see whether they change its output


@dataclass(frozen=True, eq=False)
class FirstRun:
    """What a network gave, and whether it drew random numbers."""

    result: Tensor
    draws: bool


def first_run(model: nn.Module, example: Example) -> FirstRun:
    """Raises EngineError where the network does not run on the example, or gives no numbers."""
    shape, kind = example.shape, _kind(example)
    before = torch.random.get_rng_state()
    try:
        result = example(model)
    except EngineError:
        raise
    except NETWORK_ERRORS as error:
        raise EngineError(_does_not_run(model, error, f"{kind} of {shape}")) from error
    if not result.isfinite().all():
        raise EngineError(
            f"the network's output on {kind} of {shape} is not finite; its weights may be damaged, "
            f"or meant for {kind} of another range"
        )
    return FirstRun(result, not torch.equal(before, torch.random.get_rng_state()))


def check_gives_the_same(
    model: nn.Module, example: Example, first: FirstRun, alone: Tensor
) -> None:
    """Raises EngineError where the network gives something else each time. `alone` is what it gave
    for the first item in another run; only where that differs by more than rounding, or random
    numbers are drawn, it is run on the whole example again."""
    if not first.draws and _are_close(first.result[:1], alone):
        return
    # A coin may fall on one side for some time.
    again = (example(model) for _ in range(1 + DRAWS if first.draws else 1))
    if not all(_are_close(first.result, result) for result in again):
        raise EngineError(
            "the network gives another output each time it is run on the same "
            f"{_kind(example)}: something in it is drawn at random in evaluation too (such as "
            "F.dropout without training=self.training); make its forward pass deterministic"
        )


def _are_close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def _kind(example: Example) -> str:
    return "images" if example.is_of_images else "items"


def _does_not_run(model: nn.Module, error: BaseException, inputs: str) -> str:
    told = f"the network does not run on {inputs}: {in_short(error)}"
    if isinstance(error, TypeError) and "positional argument" in str(error):
        return (
            f"{told}; a network of several inputs takes a task whose batches hold them all "
            "(--task, docs/tasks.md), or a module around it that takes one"
        )
    return (
        f"{told}{_expected(model)}; say what it takes with --input CxHxW, such as --input 3x224x224"
    )


def _expected(model: nn.Module) -> str:
    """What the first layer says that it takes."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return f" ({path} takes images of {module.in_channels} channels)"
        if isinstance(module, nn.Linear):
            return f" ({path} takes {module.in_features} numbers)"
    return ""
