"""A network's structure after an edit, from the structure before it and the edit alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from engine.contracts.edits import Edit
from engine.contracts.structure import (
    AttributeRule,
    Block,
    Member,
    NetworkStructure,
    Part,
    SizeRule,
    UnitGroup,
)


def structure_after(structure: NetworkStructure, edit: Edit) -> NetworkStructure:
    """What can be removed once the edit is carried out: without the blocks and units that are
    gone, those that stay numbered anew."""
    if edit.units:
        structure = _without_units(structure, dict(edit.units))
    gone = {*edit.blocks, *(removal.path for removal in edit.removals)}
    return _without_blocks(structure, gone) if gone else structure


# ------------------------------------------------------------ units


def _without_units(
    structure: NetworkStructure, units: Mapping[str, tuple[int, ...]]
) -> NetworkStructure:
    gone: dict[tuple[str, int], set[int]] = {}
    numbers: dict[tuple[object, ...], int] = {}
    for group in structure.groups:
        of_it = units.get(group.path, ())
        for member in group.members if of_it else ():
            gone.setdefault((member.tensor, member.axis), set()).update(member.indices(of_it))
        for attribute in group.attributes:
            place = _place(attribute)
            numbers[place] = numbers.get(place, 0) + attribute.per_unit * len(of_it)
        for size in group.sizes:
            numbers[_place(size)] = numbers.get(_place(size), 0) + size.lost_with(of_it)
    ascending = {place: sorted(indices) for place, indices in gone.items()}
    groups = tuple(
        _renumbered(group, frozenset(units.get(group.path, ())), ascending, numbers)
        for group in structure.groups
    )

    def fewer(block: Block | Part) -> int:
        lost = (
            len(of_it)
            for group in structure.groups
            if (of_it := units.get(group.path, ())) and _has_units_in(group, block)
        )
        return max(0, block.num_units - sum(lost))

    blocks = tuple(
        replace(
            block,
            num_units=fewer(block),
            parts=tuple(replace(part, num_units=fewer(part)) for part in block.parts),
        )
        for block in structure.blocks
    )
    return replace(structure, blocks=blocks, groups=groups)


def _has_units_in(group: UnitGroup, block: Block | Part) -> bool:
    """Whether a block counts a group's units as its own: a group inside, or a whole stream that the
    block writes to."""
    if not group.crosses_blocks:
        return all(_is_in(member.tensor, block.path) for member in group.members)
    return isinstance(block, Block) and any(
        member.axis == 0 and _is_in(member.tensor, block.path) for member in group.members
    )


def _renumbered(
    group: UnitGroup,
    units: Collection[int],
    gone: Mapping[tuple[str, int], list[int]],
    numbers: Mapping[tuple[object, ...], int],
) -> UnitGroup:
    left = [unit for unit in range(group.num_units) if unit not in units]
    return replace(
        group,
        num_units=len(left),
        members=tuple(_moved(member, left, gone) for member in group.members),
        attributes=tuple(
            replace(rule, value=rule.value - numbers[_place(rule)]) for rule in group.attributes
        ),
        sizes=tuple(_lowered(rule, left, numbers[_place(rule)]) for rule in group.sizes),
    )


def _moved(member: Member, left: list[int], gone: Mapping[tuple[str, int], list[int]]) -> Member:
    """A member of the units that are left, each as far on as indices before it are gone."""
    away = gone.get((member.tensor, member.axis))
    if away is None:
        return member
    starts = [member.start(unit) for unit in left]
    starts = [start - bisect_left(away, start) for start in starts]
    return Member.of(member.tensor, member.axis, member.width, starts)


def _lowered(rule: SizeRule, left: list[int], lost: int) -> SizeRule:
    each = rule.per_unit
    kept = each if isinstance(each, int) else tuple(each[unit] for unit in left)
    return replace(rule, value=rule.value - lost, per_unit=kept)


def _place(rule: AttributeRule | SizeRule) -> tuple[object, ...]:
    if isinstance(rule, AttributeRule):
        return (rule.module, rule.name, rule.position)
    return (rule.module, rule.call, rule.position, "size")


# ------------------------------------------------------------ blocks


def _without_blocks(structure: NetworkStructure, gone: Collection[str]) -> NetworkStructure:
    def is_gone(path: str) -> bool:
        return any(_is_in(path, block) for block in gone)

    blocks = tuple(
        _without_parts(block, is_gone, structure.groups)
        for block in structure.blocks
        if not is_gone(block.path)
    )
    frozen = {path: why for path, why in structure.frozen.items() if not is_gone(path)}
    left = (_without_tensors(group, is_gone) for group in structure.groups)
    groups = tuple(group for group in left if group is not None)
    return replace(structure, blocks=blocks, groups=groups, frozen=frozen)


def _without_parts(
    block: Block, is_gone: Callable[[str], bool], groups: tuple[UnitGroup, ...]
) -> Block:
    lost = [part for part in block.parts if is_gone(part.path)]
    if not lost:
        return block
    inside = (
        group.num_units
        for group in groups
        if any(_has_units_in(group, part) for part in lost) and group.block == block.path
    )
    left = tuple(part for part in block.parts if part not in lost)
    # What is left of a block with one part is the block itself.
    parts = left if len(left) > 1 else ()
    return replace(block, num_units=max(0, block.num_units - sum(inside)), parts=parts)


def _without_tensors(group: UnitGroup, is_gone: Callable[[str], bool]) -> UnitGroup | None:
    """A group without what lies in blocks that are gone; None where it is gone itself."""
    if not any(is_gone(member.tensor) for member in group.members) and not is_gone(group.path):
        return group
    members = tuple(member for member in group.members if not is_gone(member.tensor))
    consumers = tuple(each for each in group.consumers if not is_gone(each.tensor))
    if not members or (group.consumers and not consumers):
        return None
    path = group.path
    if is_gone(path):
        path = members[0].tensor.rpartition(".")[0]
    attributes = tuple(rule for rule in group.attributes if not is_gone(rule.module))
    sizes = tuple(rule for rule in group.sizes if not is_gone(rule.module))
    return replace(
        group, path=path, members=members, consumers=consumers, attributes=attributes, sizes=sizes
    )


def _is_in(path: str, block: str) -> bool:
    """Whether a module or tensor is a block or lies inside of it; all lie in the network, ''."""
    return not block or path == block or path.startswith(f"{block}.")
