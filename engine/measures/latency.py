"""How long one item (an image, a sequence) takes: a measurement of this machine, unlike everything
else of a node."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from engine.contracts.networks import Execution
from engine.measures.folding import for_inference
from engine.models.cifar_resnet import CifarResNet
from engine.runtime.device import torch_device
from engine.tasks import Batch
from engine.tasks.batch import mapped, run_on

WARM_UP_PASSES = 2
MEASURING_SECONDS = 0.12
FEWEST_PASSES, MOST_PASSES = 3, 200


@dataclass(frozen=True)
class LatencyRatio:
    """One network's time over another's, with its 95 % interval where there were passes enough."""

    value: float
    low: float | None
    high: float | None


def latency_ms(model: nn.Module, example: Batch, execution: Execution) -> float:
    """The median milliseconds of a forward pass of one item, batch norms folded."""
    return statistics.median(_passes([model], example, execution)[0])


def latency_beside(
    model: nn.Module, other: nn.Module, example: Batch, execution: Execution
) -> tuple[float, LatencyRatio]:
    """The median milliseconds of the first model, and how they relate to the second one's.

    The ratio is that of passes that followed one another, so that it holds on a busy machine too.
    """
    own, others = _passes([model, other], example, execution)
    ratios = sorted(a / b for a, b in zip(own, others, strict=True))
    return statistics.median(own), LatencyRatio(statistics.median(ratios), *_interval(ratios))


def _interval(ordered: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of a median, from order statistics: no shape of the values is assumed."""
    count = len(ordered)
    outside, tail = -1, 0.0  # so many values may lie outside at either end
    while (tail := tail + math.comb(count, outside + 1) / 2**count) <= 0.025:
        outside += 1
    return (ordered[outside], ordered[-1 - outside]) if outside >= 0 else (None, None)


@torch.inference_mode()
def _passes(
    models: Sequence[nn.Module], example: Batch, execution: Execution
) -> list[tuple[float, ...]]:
    """The milliseconds of forward passes of one item by each model, batch norms folded.

    They take turns. Takes about 0.15 s a model, more only where a few passes take longer. The
    models are left as they were.
    """
    device = torch_device(execution)
    networks = [for_inference(model, example.inputs).to(device) for model in models]
    are_ours = all(isinstance(model, CifarResNet) for model in models)
    memory = torch.channels_last if are_ours else torch.contiguous_format
    inputs = mapped(example.to(device).inputs, lambda x: x.contiguous(memory_format=memory))

    def seconds_of_one_pass(network: nn.Module) -> float:
        started = time.perf_counter()
        run_on(network, inputs)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # a launch returns before its work is done
        return time.perf_counter() - started

    for _ in range(WARM_UP_PASSES):
        for network in networks:
            seconds_of_one_pass(network)
    passes: list[list[float]] = []
    end = time.perf_counter() + MEASURING_SECONDS * len(networks)
    while len(passes) < FEWEST_PASSES or (len(passes) < MOST_PASSES and time.perf_counter() < end):
        passes.append([1000 * seconds_of_one_pass(network) for network in networks])
    return list(zip(*passes, strict=True))
