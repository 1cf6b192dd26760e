"""Batches that do not fit in memory: said with the size that was tried, and with one that fits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from engine.contracts.errors import EngineError
from engine.contracts.networks import Execution
from engine.runtime.device import torch_device
from engine.tasks import Batch

FEWEST = 2  # items of a part: a batch norm may have nothing to say of one
# What torch raises where memory is short: on a GPU a class of its own, on a CPU its allocator's.
SHORT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError, RuntimeError)
_OF_THE_ALLOCATOR = ("DefaultCPUAllocator", "not enough memory", "out of memory")


class BatchTooLargeError(EngineError):
    """A batch that does not fit in memory."""

    code = "batch-too-large"


def is_short_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _OF_THE_ALLOCATOR)


def what_fits(
    model: nn.Module,
    batch: Batch,
    parts: int,
    execution: Execution,
    run: Callable[[int], object],
) -> BatchTooLargeError:
    """The error of a batch that did not fit, run in `parts`, with how many do, found by trying.

    `run` does forward and backward pass of so many items. What the network was is lost: the
    training that asked has ended.
    """
    tried = -(-len(batch) // parts)
    fits = tried
    while fits >= 2 * FEWEST:
        fits //= 2
        model.zero_grad(set_to_none=True)
        if torch_device(execution).type == "cuda":
            torch.cuda.empty_cache()
        if _runs(run, fits):
            return BatchTooLargeError(_words(len(batch), tried, fits, execution))
    return BatchTooLargeError(
        f"not even {FEWEST} of a batch's {len(batch)} items fit in the memory of "
        f"{execution.device}; make images smaller (--image-size), or use another --device"
    )


def _runs(run: Callable[[int], object], count: int) -> bool:
    try:
        run(count)
    except SHORT_OF_MEMORY as error:
        if not is_short_of_memory(error):
            raise
        return False
    return True


def _words(size: int, tried: int, fits: int, execution: Execution) -> str:
    parts = -(-size // fits)
    return (
        f"{tried} images at a time do not fit in the memory of {execution.device}, {fits} do: "
        f"--accumulate {parts} makes the same steps of batches of {size} in parts (batch norms "
        f"see parts then), --batch-size {fits} smaller steps"
    )
