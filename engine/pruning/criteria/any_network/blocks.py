"""Ways of running a network without one of its blocks.

Shape legend: B items, K classes.
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
from engine.tasks import Batch
from engine.tasks.batch import run_on


class BlockWay(Protocol):
    """How a network is run without one block."""

    @property
    def wants(self) -> Wants: ...

    @property
    def cut(self) -> Cut | None: ...

    def logits(self, network: nn.Module, prefix: Prefix) -> Tensor:
        """The logits (B, …, K) for a prefix's items, on a network that nobody else uses."""


class PassedOver:
    """Another forward pass in the block's place; what is before it gives what it gave."""

    def __init__(self, block: Block | Part, trace: Trace) -> None:
        self._path = block.path
        self._skip = Skip(block.removal == "zeros", block.num_results)
        self.cut = trace.cut((block.path, 0))
        self.wants = Wants((self.cut,))

    def logits(self, network: nn.Module, prefix: Prefix) -> Tensor:
        with Replay(network, prefix, self.cut, {self._path: self._skip.forward}) as replay:
            return replay(torch.arange(len(prefix), device=prefix.device))


class Removed:
    """The network really without the block, all of it run."""

    wants = Wants()
    cut = None

    def __init__(self, block: Block | Part, structure: NetworkStructure) -> None:
        self._edit = explicit(Edit(LAYER, blocks=(block.path,)), structure)

    def logits(self, network: nn.Module, prefix: Prefix) -> Tensor:
        return output_of(run_on(carry_out(self._edit, network), prefix.inputs)).double()


def block_way_of(
    block: Block | Part,
    structure: NetworkStructure,
    network: nn.Module,
    trace: Trace | None,
    few: Batch,
) -> BlockWay:
    """The fastest way for a block that gives what the network without it gives."""
    plain = Removed(block, structure)
    if trace is None or trace.num_calls[block.path] != 1:
        return plain
    way = PassedOver(block, trace)
    whole = Prefix(None, network, few, Wants())
    expected = plain.logits(network, whole)
    tolerance = tolerance_of(expected, whole.logits)
    if tolerance is None:
        return plain
    try:
        found = way.logits(network, Prefix(trace, network, few, way.wants))
    except FORWARD_ERRORS:
        return plain
    return way if bool((found - expected).abs().max() <= tolerance) else plain
