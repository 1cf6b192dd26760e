"""Where the units of a network give what they give, and what its blocks add.

Shape legend: C channels, U units, O numbers of a weight that belong to a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.contracts.structure import Block, NetworkStructure, Part, UnitGroup
from engine.pruning.criteria.any_network.exact import blocks_to_score, groups_to_score
from engine.pruning.criteria.any_network.refusals import refused
from engine.pruning.criteria.any_network.trace import Trace
from engine.pruning.criteria.any_network.units import Reader, columns_of, readers_of, tensor_of
from engine.pruning.criteria.weights import members_of

Key = tuple[str, str]  # group or block, and its path


@dataclass(frozen=True, eq=False)
class Place:
    """Where the units of a group are read (or where they are `made`: a reader is then what stands
    for the output of a module), or what a block adds, as the one unit of its own.

    `weights_CO` are the weights that read each reader's channels, or make them; for a block ones.
    """

    readers: tuple[Reader, ...]
    weights_CO: tuple[Tensor, ...]
    modules: tuple[nn.Module, ...] = ()
    block: Block | Part | None = None
    made: bool = False

    def per_unit(self, of_readers: Sequence[Tensor]) -> Tensor:
        """Values (…, C) of each reader's channels, added up by unit (…, U)."""
        parts = zip(self.readers, of_readers, strict=True)
        each = [v[..., r.ids_UI.to(v.device)].sum(-1) for r, v in parts]
        return torch.stack(each).sum(0)

    @property
    def num_weights(self) -> int:
        """How many numbers read a unit."""
        pairs = zip(self.readers, self.weights_CO, strict=True)
        return sum(r.ids_UI.shape[1] * weight_CO.shape[1] for r, weight_CO in pairs)


def places_of(
    name: str,
    network: nn.Module,
    trace: Trace | None,
    structure: NetworkStructure,
    *,
    crossing: bool,
    made: bool,
) -> dict[Key, Place]:
    """The places of all units and blocks that a criterion of that name scores. Raises
    CriterionError where it cannot look at one of them."""
    if trace is None:
        raise refused(name, "looks at what modules get, and this network hides its calls")
    places: dict[Key, Place] = {}
    for group in groups_to_score(structure, crossing):
        readers = _makers_of(group, network, trace) if made else readers_of(group, network, trace)
        if not readers:
            where = (
                "made elsewhere than at the output" if made else "read elsewhere than at the input"
            )
            raise refused(name, f"looks at what units give, and the group {group.path} is {where} "
                          "of a module")  # fmt: skip
        tensors = (
            _made_at(group, network) if made else [(c.tensor, c.axis) for c in group.consumers]
        )
        weights = [
            tensor_of(network, tensor).detach().movedim(axis, 0).flatten(1)
            for tensor, axis in tensors
        ]
        modules = tuple(network.get_submodule(reader.path) for reader in readers)
        places["group", group.path] = Place(readers, tuple(weights), modules, made=made)
    for block in blocks_to_score(structure):
        reader = _block_reader(block, trace)
        if reader is None:
            raise refused(name, f"looks at what blocks add, and of {block.path} nobody can tell")
        ones_C1 = torch.ones(reader.num_channels, 1)
        places["block", block.path] = Place((reader,), (ones_C1,), block=block)
    return places


def _made_at(group: UnitGroup, network: nn.Module) -> list[tuple[str, int]]:
    """The weights that make a group's units, and along which axis, each once."""
    found = dict.fromkeys((member.tensor, member.axis) for member in members_of(group))
    return [(name, axis) for name, axis in found if tensor_of(network, name).dim() > 1]


def _makers_of(group: UnitGroup, network: nn.Module, trace: Trace) -> tuple[Reader, ...]:
    """Readers of what the modules give that make a group; empty where one of them gives none."""
    makers = []
    for tensor, axis in _made_at(group, network):
        path = tensor.rpartition(".")[0]
        call = trace.by_place.get((path, 0))
        if call is None or not call.shapes:
            return ()
        shape, item_axis = call.shapes[0], trace.output_axes[call.place][0]
        is_conv = isinstance(network.get_submodule(path), nn.modules.conv._ConvNd)
        channel_axis = 1 if is_conv else len(shape) - 1
        num_channels = tensor_of(network, tensor).shape[axis]
        if item_axis in (None, channel_axis) or shape[channel_axis] != num_channels:
            return ()
        ids_UI = columns_of(group, tensor, axis)
        makers.append(Reader(path, ids_UI, num_channels, channel_axis, int(item_axis or 0)))
    return tuple(makers)


def _block_reader(block: Block | Part, trace: Trace) -> Reader | None:
    """What a block gives as the one unit of a reader."""
    call = trace.by_place.get((block.path, 0))
    if call is None or not call.shapes:
        return None
    item_axis, shape = trace.output_axes[call.place][0], call.shapes[0]
    channel_axis = 1 if len(shape) > 3 else len(shape) - 1
    if item_axis is None or item_axis == channel_axis or shape != call.input_shape:
        return None
    num_channels = shape[channel_axis]
    ids_1C = torch.arange(num_channels)[None]
    return Reader(block.path, ids_1C, num_channels, channel_axis, item_axis)
