"""The units of a group, silenced where they are read.

Shape legend: B items of a chunk, C channels, L places (pixels, tokens), U units, I indices of a
unit, O outputs, P (unit, item) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.structure import Consumer, UnitGroup
from engine.pruning.criteria.any_network.trace import Place, Trace
from engine.pruning.criteria.any_network.values import first_tensor, with_first_tensor

LARGEST_PATCH = 64  # numbers a place of a unit's share; a larger one is a convolution's work
SMALLEST_SAVING = 4  # of a module's input channels, at most a fourth belong to one unit


@dataclass(frozen=True, eq=False)
class Reader:
    """A module at whose input the units of a group can be silenced."""

    path: str
    ids_UI: Tensor  # the input channels of each unit
    num_channels: int
    channel_axis: int
    item_axis: int

    def rows(self, values: Tensor, num_items: int) -> Tensor:
        """A value of the input's shape as (B, L, C)."""
        values = values.movedim((self.item_axis, self.channel_axis), (0, -1))
        return values.reshape(num_items, -1, self.num_channels)

    def of_units(self, values: Tensor, num_items: int) -> Tensor:
        """A value of the input's shape, added up by item and unit (B, U)."""
        return self.rows(values, num_items).sum(1)[:, self.ids_UI].sum(2)

    def masked(self, x: Tensor, units_P: Tensor) -> Tensor:
        """The input without one unit for each of P equal parts of the rows (of one: of all)."""
        mask_PC = torch.zeros(len(units_P), self.num_channels, dtype=torch.bool, device=x.device)
        mask_PC.scatter_(1, self.ids_UI[units_P], True)
        shape = [1] * x.dim()
        shape[self.channel_axis] = self.num_channels
        if len(units_P) > 1:
            num_rows = x.shape[self.item_axis]
            mask_PC = mask_PC.repeat_interleave(num_rows // len(units_P), 0)
            shape[self.item_axis] = num_rows
        return x.masked_fill(mask_PC.reshape(shape), 0)


class Masks:
    """A forward pre-hook: masks the units that are asked for at a module's input."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.units_P: Tensor | None = None

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        x = first_tensor(args, kwargs)
        if self.units_P is None or x is None:
            return None
        return with_first_tensor(args, kwargs, self.reader.masked(x, self.units_P))


def columns_of(group: UnitGroup, tensor: str, axis: int) -> Tensor:
    """The indices along a tensor's axis of each unit (U, I)."""
    members = [m for m in group.members if (m.tensor, m.axis) == (tensor, axis)]
    rows = [[i for m in members for i in m.indices((unit,))] for unit in range(group.num_units)]
    return torch.tensor(rows, dtype=torch.int64).reshape(group.num_units, -1)


def readers_of(group: UnitGroup, network: nn.Module, trace: Trace) -> tuple[Reader, ...] | None:
    """Where a group can be silenced at inputs; None where some consumer has no such input."""
    readers = [_reader(group, consumer, network, trace) for consumer in group.consumers]
    return tuple(r for r in readers if r is not None) if readers and all(readers) else None


def _reader(
    group: UnitGroup, consumer: Consumer, network: nn.Module, trace: Trace
) -> Reader | None:
    weight = tensor_of(network, consumer.tensor)
    ids_UI = columns_of(group, consumer.tensor, consumer.axis)
    places = [(consumer.module, number) for number in range(trace.num_calls[consumer.module])]
    if not (consumer.maskable and places and ids_UI.shape[1]):
        return None
    module = network.get_submodule(consumer.module)
    shapes = [trace.by_place[place].input_shape for place in places]
    axes = {(trace.input_axes[p], len(trace.by_place[p].input_shape)) for p in places}
    if len(axes) > 1 or getattr(module, "groups", 1) != 1:
        return None
    item_axis, num_axes = axes.pop()
    channel_axis = 1 if isinstance(module, nn.modules.conv._ConvNd) else num_axes - 1
    num_channels = weight.shape[consumer.axis]
    if item_axis is None or item_axis == channel_axis:
        return None
    if any(shape[channel_axis] != num_channels for shape in shapes):
        return None
    return Reader(consumer.module, ids_UI.to(weight.device), num_channels, channel_axis, item_axis)


def tensor_of(network: nn.Module, name: str) -> Tensor:
    """A parameter or buffer by its name."""
    path, _, leaf = name.rpartition(".")
    tensor = getattr(network.get_submodule(path), leaf)
    assert isinstance(tensor, Tensor)
    return tensor


@dataclass(frozen=True, eq=False)
class Share:
    """A unit's part of what its reader gives, which can be subtracted instead of running it."""

    reader: Reader

    def weight(self, module: nn.Module) -> Tensor:
        """The reader's weight as (C, kernel, O)."""
        weight: Tensor = module.weight.detach()  # type: ignore[operator]
        if weight.dim() == 2:
            return weight.T[:, None]
        return weight.flatten(2).permute(1, 2, 0).contiguous()

    def without(
        self,
        module: nn.Module,
        weight_CXO: Tensor,
        out: Tensor,
        x: Tensor,
        units_P: Tensor,
        items_P: Tensor,
        num_items: int,
    ) -> Tensor:
        """What the module gives on those items without one unit each, from what it gave (`out`)
        for the whole input (`x`) of the chunk."""
        ids_PI = self.reader.ids_UI[units_P]
        weight_PXO = weight_CXO[ids_PI].flatten(1, 2)
        if not isinstance(module, nn.Conv2d):
            part_PLI = x.reshape(num_items, -1, x.shape[-1])[items_P[:, None], :, ids_PI].mT
            before_PLO = out.reshape(num_items, -1, out.shape[-1])[items_P]
            made_PLO = torch.baddbmm(before_PLO, part_PLI, weight_PXO, alpha=-1)
            return made_PLO.reshape(-1, *out.shape[1:])
        assert not isinstance(module.padding, str)
        patches_PXL = F.unfold(
            x[items_P[:, None], ids_PI],
            module.kernel_size,
            module.dilation,
            module.padding,
            module.stride,
        )
        before_PLO = out.permute(0, 2, 3, 1)[items_P].flatten(1, 2)
        made_PLO = torch.baddbmm(before_PLO, patches_PXL.mT, weight_PXO, alpha=-1)
        maps_POHW: Tensor = made_PLO.unflatten(1, out.shape[2:]).permute(0, 3, 1, 2)
        return maps_POHW


def share_of(reader: Reader, network: nn.Module, place: Place, trace: Trace) -> Share | None:
    """A reader's share, where it can be told and to subtract it is less work than to run it."""
    module = network.get_submodule(reader.path)
    width = reader.ids_UI.shape[1]
    if reader.item_axis != 0 or width * SMALLEST_SAVING > reader.num_channels:
        return None
    if trace.num_calls[reader.path] != 1 or trace.output_axes[place] != [0]:
        return None
    if type(module) is nn.Linear:
        return Share(reader)
    if type(module) is not nn.Conv2d or isinstance(module.padding, str):
        return None
    plain = module.groups == 1 and module.padding_mode == "zeros"
    small = width * module.weight[0, 0].numel() <= LARGEST_PATCH
    row_an_item = trace.by_place[place].shapes[0][0] == trace.NUM_ITEMS
    return Share(reader) if plain and small and row_an_item else None
