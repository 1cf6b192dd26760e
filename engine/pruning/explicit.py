"""Edits made explicit: from what is to go, and the structure that says what that means, to the
results that are carried out without looking at the network again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.contracts.edits import LAYER, Attribute, Edit, Removal, Size, Slice
from engine.contracts.errors import EditError
from engine.contracts.structure import Block, NetworkStructure, Part, UnitGroup

_Chosen = Iterable[tuple[UnitGroup, tuple[int, ...]]]


def explicit(edit: Edit, structure: NetworkStructure) -> Edit:
    """The edit with the results of what it says is to go. Raises EditError."""
    removals = tuple(_removal(path, structure) for path in edit.blocks)
    if edit.structure == LAYER:
        return Edit(LAYER, blocks=edit.blocks, removals=removals)
    groups = {group.path: group for group in structure.groups}
    for path, indices in edit.units:
        if path not in groups:
            raise EditError(
                f"the network has no prunable convolution {path!r}; it has {', '.join(groups)}"
            )
        _check_units(groups[path], indices)
        _check_apart(groups[path], edit.blocks)
    chosen = [(groups[path], units) for path, units in edit.units]
    return Edit(
        edit.structure,
        blocks=edit.blocks,
        units=edit.units,
        removals=removals,
        slices=_slices(chosen),
        attributes=_attributes(chosen),
        sizes=_sizes(chosen),
    )


def indices_gone(chosen: _Chosen) -> Mapping[tuple[str, int], set[int]]:
    """The indices that go, by tensor and axis, whatever groups have a part in it."""
    gone: dict[tuple[str, int], set[int]] = {}
    for group, units in chosen:
        for member in group.members:
            gone.setdefault((member.tensor, member.axis), set()).update(member.indices(units))
    return gone


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


def _check_apart(group: UnitGroup, blocks: tuple[str, ...]) -> None:
    for member in group.members:
        holder = next((b for b in blocks if member.tensor.startswith(f"{b}.")), None)
        if holder is not None:
            raise EditError(
                f"an edit removes block {holder} and {group.kind}s of {group.path}, which it has a "
                "part in; leave these out, or remove them in another step"
            )


def _slices(chosen: _Chosen) -> tuple[Slice, ...]:
    gone = indices_gone(chosen)
    return tuple(Slice(name, axis, tuple(sorted(ix))) for (name, axis), ix in gone.items() if ix)


def _attributes(chosen: _Chosen) -> tuple[Attribute, ...]:
    values: dict[tuple[str, str, int | None], int] = {}
    for group, units in chosen:
        for rule in group.attributes if units else ():
            place = (rule.module, rule.name, rule.position)
            values[place] = values.get(place, rule.value) - rule.per_unit * len(units)
    return tuple(
        Attribute(m, name, value, position) for (m, name, position), value in values.items()
    )


def _sizes(chosen: _Chosen) -> tuple[Size, ...]:
    values: dict[tuple[str, int, int], int] = {}
    for group, units in chosen:
        for rule in group.sizes:
            if lost := rule.lost_with(units):
                place = (rule.module, rule.call, rule.position)
                values[place] = values.get(place, rule.value) - lost
    return tuple(Size(*place, value) for place, value in values.items())
