"""Edits of any network: made of what goes, carried out, and carried out again from data alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from engine.contracts.edits import LAYER, Edit, Removal, Slice
from engine.contracts.errors import EditError
from engine.contracts.networks import Architecture
from engine.contracts.structure import Block, NetworkStructure, Part, UnitGroup
from engine.models import build
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.structure import structure_of
from engine.pruning.surgery import carry_out


def apply(edit: Edit, model: nn.Module) -> nn.Module:
    """A copy of `model` without what the edit removes; smaller tensors, no masks.

    An edit of a CIFAR ResNet says only what goes: what that means is read off its modules. Raises
    EditError for paths and indices that the model does not have, and for edits that would leave
    nothing to compute with.
    """
    if edit.is_explicit:
        if isinstance(model, CifarResNet):
            raise EditError(
                "an edit of a CIFAR ResNet says what goes, not how; this one is of another"
            )
        return carry_out(edit, model)
    return carry_out(explicit(edit, structure_of(model)), model)


def rebuild(architecture: Architecture) -> nn.Module:
    """The network that an architecture describes, untrained.

    Raises UnknownFamilyError and EditError.
    """
    model = build(architecture.factory, architecture.arguments)
    for edit in architecture.edits:
        model = apply(edit, model)
    return model


def explicit(edit: Edit, structure: NetworkStructure) -> Edit:
    """The edit with the results of what it says is to go. Raises EditError."""
    if edit.structure == LAYER:
        removals = tuple(_removal(path, structure) for path in edit.blocks)
        return Edit(LAYER, blocks=edit.blocks, removals=removals)
    groups = {group.path: group for group in structure.groups}
    for path, indices in edit.units:
        if path not in groups:
            raise EditError(
                f"the network has no prunable convolution {path!r}; it has {', '.join(groups)}"
            )
        _check_units(groups[path], indices)
    return Edit(edit.structure, units=edit.units, slices=_slices(edit.units, groups))


def _removal(path: str, structure: NetworkStructure) -> Removal:
    blocks = {block.path: block for block in structure.all_blocks()}
    if path not in blocks:
        raise EditError(f"the network has no block {path!r}; it has {', '.join(blocks)}")
    block = blocks[path]
    if _is_fixed(block):
        free = [block.path for block in blocks.values() if not _is_fixed(block)]
        raise EditError(
            f"block {path} changes the shape of the maps and cannot be removed; "
            f"these can: {', '.join(free) or 'none'}"
        )
    return Removal(path, block.removal, block.num_results)


def _is_fixed(block: Block | Part) -> bool:
    return isinstance(block, Block) and block.stays == "shape"


def _check_units(group: UnitGroup, units: tuple[int, ...]) -> None:
    out_of_range = [unit for unit in units if not 0 <= unit < group.num_units]
    if out_of_range:
        raise EditError(
            f"{group.path} has {group.kind}s 0 to {group.num_units - 1}; "
            f"the edit names {out_of_range[0]}"
        )
    if len(set(units)) != len(units):
        raise EditError(f"the edit names a {group.kind} of {group.path} twice: {units}")
    if len(units) >= group.num_units:
        raise EditError(
            f"an edit may not remove all {group.num_units} {group.kind}s of {group.path}; "
            f"{group.num_units - 1} at most"
        )


def _slices(
    chosen: Iterable[tuple[str, tuple[int, ...]]], groups: Mapping[str, UnitGroup]
) -> tuple[Slice, ...]:
    """One slice an axis of a tensor, whatever groups have a part in it."""
    gone: dict[tuple[str, int], set[int]] = {}
    for path, units in chosen:
        for member in groups[path].members:
            gone.setdefault((member.tensor, member.axis), set()).update(member.indices(units))
    return tuple(Slice(name, axis, tuple(sorted(ix))) for (name, axis), ix in gone.items() if ix)
