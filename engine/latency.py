"""How long one image takes: a measurement of this machine, unlike everything else of a node."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from engine.device import Execution
from engine.evaluation import fold_batchnorm

WARM_UP_PASSES = 2
MEASURING_SECONDS = 0.12
FEWEST_PASSES, MOST_PASSES = 3, 200


@torch.inference_mode()
def latency_ms(
    model: nn.Module, image_shape_HWC: tuple[int, int, int], execution: Execution
) -> float:
    """The median milliseconds of a forward pass of one image, batch norms folded.

    Takes about 0.15 s, more only where a few passes take longer. The model is left as it was.
    """
    device = execution.torch_device
    inference = fold_batchnorm(model).to(device)
    height, width, channels = image_shape_HWC
    image_BCHW = torch.zeros(1, channels, height, width, device=device)
    image_BCHW = image_BCHW.contiguous(memory_format=torch.channels_last)

    def seconds_of_one_pass() -> float:
        started = time.perf_counter()
        inference(image_BCHW)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # a launch returns before its work is done
        return time.perf_counter() - started

    for _ in range(WARM_UP_PASSES):
        seconds_of_one_pass()
    passes: list[float] = []
    end = time.perf_counter() + MEASURING_SECONDS
    while len(passes) < FEWEST_PASSES or (len(passes) < MOST_PASSES and time.perf_counter() < end):
        passes.append(seconds_of_one_pass())
    return 1000 * statistics.median(passes)
