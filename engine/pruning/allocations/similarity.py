"""More of blocks that change little: whose output is like their input (Pan et al., 2025).

Shape legend: B items.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.structure import Block
from engine.pruning.allocations.looking import own_copy, probe_of
from engine.pruning.allocations.offer import Offer, Probe, Row, evenly
from engine.pruning.criteria.any_network.values import first_tensor, tensors_in
from engine.runtime.attention import attention_in_the_open
from engine.tasks.batch import run_on

AMPLITUDE = 0.5  # of shares, so that they lie within half of and one and a half times the mean


def similarity(offer: Offer) -> list[Row]:
    """Units go in proportion to a group's width, more quickly by its block's likeness (Adapt-
    Pruner: likeness around its mean, brought to [-1, 1], times an amplitude). Groups
    outside of blocks, and blocks that change their input's shape, are as the mean. One forward."""
    found = cosines(probe_of(offer, "similarity"), offer.blocks)
    if not found:
        raise EngineError(
            "--allocation similarity compares what goes into blocks with what comes out, and no "
            "block of this network keeps its input's shape; choose another, such as uniform"
        )
    mean = sum(found.values()) / len(found)
    largest = max(abs(value - mean) for value in found.values()) or 1.0
    speeds = {path: 1 + AMPLITUDE * (value - mean) / largest for path, value in found.items()}
    return [
        Row((g.path,), evenly(g, offer.rooms[g.path], speeds.get(g.block or "", 1.0)))
        for g in offer.groups
    ]


@torch.inference_mode()
def cosines(probe: Probe, blocks: tuple[Block, ...]) -> dict[str, float]:
    """By block that keeps its input's shape, the mean cosine of an item's input and output."""
    network, batch = own_copy(probe)
    found: dict[str, float] = {}

    def hear(path: str) -> Any:
        def heard(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
            given, made = first_tensor(args, kwargs), next(tensors_in(out), None)
            if given is not None and made is not None and given.shape == made.shape:
                found[path] = _cosine(given, made)

        return heard

    for block in blocks:
        network.get_submodule(block.path).register_forward_hook(hear(block.path), with_kwargs=True)
    with attention_in_the_open():
        run_on(network, batch.inputs)
    return found


def _cosine(given: Tensor, made: Tensor) -> float:
    pairs = (given.flatten(1).double(), made.flatten(1).double())
    return float(F.cosine_similarity(*pairs, dim=1).mean())
