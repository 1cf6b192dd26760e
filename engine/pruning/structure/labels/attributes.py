"""Plain numbers on the modules around a group that may be its width or its number of units."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from engine.contracts.structure import AttributeRule, UnitGroup
from engine.pruning.surgery.tensors import tells_its_sizes


def attribute_candidates(group: UnitGroup, model: nn.Module) -> tuple[AttributeRule, ...]:
    """Numbers that would shrink if they were the group's: its number of units first."""
    per_unit = _per_unit(group)
    widths = {width for _, width in _axis_widths(group)}
    found = []
    for path in _around(group, model):
        module = model.get_submodule(path)
        if tells_its_sizes(module):
            continue
        for name, value in vars(module).items():
            if name.startswith("_"):
                continue
            for position, number in _numbers(value):
                share = per_unit.get(number) or _share_of_heads(name, number, group, widths)
                if share:
                    found.append(AttributeRule(path, name, number, share, position))
    return tuple(sorted(found, key=lambda rule: rule.per_unit != 1))


def owner_of(group: UnitGroup) -> str:
    """The innermost module that holds all of a group."""
    return common_ancestor([m.tensor.rpartition(".")[0] for m in group.members])


def common_ancestor(paths: Iterable[str]) -> str:
    common: list[str] | None = None
    for path in paths:
        parts = path.split(".") if path else []
        if common is None:
            common = parts
            continue
        same = [a == b for a, b in zip(common, parts, strict=False)]
        common = common[: same.index(False) if False in same else len(same)]
    return ".".join(common or ())


def _around(group: UnitGroup, model: nn.Module) -> list[str]:
    """The modules of a group, and those between them and the one that holds all of it."""
    paths = {
        *(m.tensor.rpartition(".")[0] for m in group.members),
        *(consumer.module for consumer in group.consumers),
        *(rule.module for rule in group.sizes),
    }
    common = common_ancestor(sorted(paths))
    inside = {common}
    for path in paths:
        while path != common and path:
            inside.add(path)
            path = path.rpartition(".")[0]
    return [path for path, _ in model.named_modules() if path in inside]


def _axis_widths(group: UnitGroup) -> set[tuple[tuple[str, int], int]]:
    """How many indices of each axis the group owns."""
    widths: dict[tuple[str, int], int] = {}
    for member in group.members:
        axis = member.tensor, member.axis
        widths[axis] = widths.get(axis, 0) + member.width * group.num_units
    return set(widths.items())


def _per_unit(group: UnitGroup) -> dict[int, int]:
    shares = {width: width // group.num_units for _, width in _axis_widths(group)}
    for member in group.members:
        shares.setdefault(member.width * group.num_units, member.width)
    return {**shares, group.num_units: 1}


def _share_of_heads(name: str, number: int, group: UnitGroup, widths: set[int]) -> int:
    """Query heads, of which several share one of keys and values."""
    if "head" not in name or "dim" in name or number % group.num_units:
        return 0
    return number // group.num_units if any(width % number == 0 for width in widths) else 0


def _numbers(value: object) -> list[tuple[int | None, int]]:
    """An attribute's numbers by position."""
    if type(value) is int:
        return [(None, value)]
    if type(value) not in (list, tuple):
        return []
    assert isinstance(value, list | tuple)
    return [(place, each) for place, each in enumerate(value[:16]) if type(each) is int]
