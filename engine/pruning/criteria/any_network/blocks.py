"""Ways of running a network without one of its blocks.

Shape legend: B images, K classes.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from engine.contracts.edits import LAYER, Edit
from engine.contracts.structure import Block, NetworkStructure, Part
from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.prefix import Prefix, Replay, Wants
from engine.pruning.criteria.any_network.trace import Cut, Trace
from engine.pruning.criteria.any_network.values import FORWARD_ERRORS, tolerance_of
from engine.pruning.explicit import explicit
from engine.pruning.surgery import carry_out
from engine.pruning.surgery.stand_ins import Skip


class BlockWay(Protocol):
    """How a network is run without one block."""

    @property
    def wants(self) -> Wants: ...

    @property
    def cut(self) -> Cut | None: ...

    def logits(self, network: nn.Module, prefix: Prefix) -> Tensor:
        """The logits (B, K) for a prefix's images, on a network that nobody else uses."""


class PassedOver:
    """Another forward pass in the block's place; what is before it gives what it gave."""

    def __init__(self, block: Block | Part, trace: Trace) -> None:
        self._path = block.path
        self._skip = Skip(block.removal == "zeros", block.num_results)
        self.cut = trace.cut((block.path, 0))
        self.wants = Wants((self.cut,))

    def logits(self, network: nn.Module, prefix: Prefix) -> Tensor:
        images = prefix.images_BCHW
        with Replay(network, prefix, self.cut, {self._path: self._skip.forward}) as replay:
            return replay(torch.arange(len(images), device=images.device))


class Removed:
    """The network really without the block, all of it run."""

    wants = Wants()
    cut = None

    def __init__(self, block: Block | Part, structure: NetworkStructure) -> None:
        self._edit = explicit(Edit(LAYER, blocks=(block.path,)), structure)

    def logits(self, network: nn.Module, prefix: Prefix) -> Tensor:
        return output_of(carry_out(self._edit, network)(prefix.images_BCHW)).double()


def block_way_of(
    block: Block | Part,
    structure: NetworkStructure,
    network: nn.Module,
    trace: Trace | None,
    images_3CHW: Tensor,
) -> BlockWay:
    """The fastest way for a block that gives what the network without it gives."""
    plain = Removed(block, structure)
    if trace is None or trace.num_calls[block.path] != 1:
        return plain
    way = PassedOver(block, trace)
    whole = Prefix(None, network, images_3CHW, Wants())
    expected_BK = plain.logits(network, whole)
    tolerance = tolerance_of(expected_BK, whole.logits_BK)
    if tolerance is None:
        return plain
    try:
        found_BK = way.logits(network, Prefix(trace, network, images_3CHW, way.wants))
    except FORWARD_ERRORS:
        return plain
    return way if bool((found_BK - expected_BK).abs().max() <= tolerance) else plain
