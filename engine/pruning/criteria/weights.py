"""The weights that make a unit, and those of a block: what criteria look at that need no items.

Shape legend: U units, W indices of a unit along an axis, D numbers that make a unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from engine.contracts.structure import Member, UnitGroup


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A network's weights by their names; biases and norms are none."""
    return {
        name: parameter.detach()
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if parameter.dim() > 1
    }


def members_of(group: UnitGroup) -> Iterator[Member]:
    """A group's parts of the tensors that make its units or follow them, without the columns that
    read them."""
    read = {(consumer.tensor, consumer.axis) for consumer in group.consumers}
    return (member for member in group.members if (member.tensor, member.axis) not in read)


def indices_of(member: Member, num_units: int) -> Tensor:
    """The indices of each unit along a member's axis (U, W)."""
    starts_U = torch.tensor([member.start(unit) for unit in range(num_units)])
    return starts_U[:, None] + torch.arange(member.width)


def making(
    group: UnitGroup, weights: Mapping[str, Tensor]
) -> Iterator[tuple[Member, Tensor, Tensor]]:
    """Each weight that makes a group's units, with the indices of each unit along its axis."""
    for member in members_of(group):
        weight = weights.get(member.tensor)
        if weight is not None:
            yield member, weight, indices_of(member, group.num_units).to(weight.device)


def rows_of(group: UnitGroup, weights: Mapping[str, Tensor]) -> Tensor:
    """All numbers that make each unit side by side (U, D)."""
    parts = [
        weight.movedim(member.axis, 0)[ids_UW].flatten(1)
        for member, weight, ids_UW in making(group, weights)
    ]
    return torch.cat(parts, 1) if parts else torch.zeros(group.num_units, 1)


def within(path: str, weights: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """The weights of a block."""
    return (weight for name, weight in weights.items() if name.startswith(f"{path}."))
