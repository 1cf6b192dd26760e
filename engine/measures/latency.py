"""How long one image takes: a measurement of this machine, unlike everything else of a node."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from torch import nn

from engine.contracts.networks import Execution
from engine.measures.accuracy import fold_batchnorm
from engine.runtime.device import torch_device

WARM_UP_PASSES = 2
MEASURING_SECONDS = 0.12
FEWEST_PASSES, MOST_PASSES = 3, 200


def latency_ms(
    model: nn.Module, image_shape_HWC: tuple[int, int, int], execution: Execution
) -> float:
    """The median milliseconds of a forward pass of one image, batch norms folded."""
    return latencies_ms([model], image_shape_HWC, execution)[0]


@torch.inference_mode()
def latencies_ms(
    models: Sequence[nn.Module], image_shape_HWC: tuple[int, int, int], execution: Execution
) -> list[float]:
    """The median milliseconds of a forward pass of one image by each model, batch norms folded.

    They take turns, so that their ratios hold on a busy machine too. Takes about 0.15 s a model,
    more only where a few passes take longer. The models are left as they were.
    """
    device = torch_device(execution)
    networks = [fold_batchnorm(model).to(device) for model in models]
    height, width, channels = image_shape_HWC
    image_BCHW = torch.zeros(1, channels, height, width, device=device)
    image_BCHW = image_BCHW.contiguous(memory_format=torch.channels_last)

    def seconds_of_one_pass(network: nn.Module) -> float:
        started = time.perf_counter()
        network(image_BCHW)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # a launch returns before its work is done
        return time.perf_counter() - started

    for _ in range(WARM_UP_PASSES):
        for network in networks:
            seconds_of_one_pass(network)
    passes: list[list[float]] = []
    end = time.perf_counter() + MEASURING_SECONDS * len(networks)
    while len(passes) < FEWEST_PASSES or (len(passes) < MOST_PASSES and time.perf_counter() < end):
        passes.append([seconds_of_one_pass(network) for network in networks])
    return [1000 * statistics.median(times) for times in zip(*passes, strict=True)]
