"""Groups made of labels: what has become one label is a unit; units alike form a group."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from engine.contracts.structure import Consumer, Kind, Member, UnitGroup
from engine.pruning.structure.labels.carrier import Carrier
from engine.pruning.structure.labels.union import Axis

_KINDS: dict[str, Kind] = {"conv": "filter", "linear": "neuron", "table": "channel"}
_ALONE = "all of it goes together"
NO_READER = "no weight reads it"


@dataclass(frozen=True)
class Unit:
    """One label's indices of each axis."""

    root: int
    indices: dict[Axis, list[int]]


@dataclass(frozen=True)
class Found:
    """Groups, their units' labels, and why other producers stay."""

    groups: tuple[UnitGroup, ...]
    roots: tuple[tuple[int, ...], ...]
    frozen: dict[str, str]


def groups_of(run: Carrier, model: nn.Module) -> Found:
    """The groups of what a run has found, in the order of the tensors."""
    labels = run.labels
    order = {axis: number for number, (axis, _, _) in enumerate(labels.ranges)}
    units, reasons = _units(run)
    alike: dict[tuple[tuple[Axis, int], ...], list[Unit]] = defaultdict(list)
    for unit in units:
        if any(a in run.producers for a in unit.indices):
            if any(a in run.consumers for a in unit.indices):
                shape = sorted(((a, len(ix)) for a, ix in unit.indices.items()), key=str)
                alike[tuple(shape)].append(unit)
            else:
                _explain(unit, NO_READER, run, reasons)
    mixed = {int(labels.find(torch.tensor(label))): why for label, why in labels.mixed.items()}
    kept: list[tuple[tuple[int, int], UnitGroup, tuple[int, ...]]] = []
    attention = _roots_in_attention(run)
    for members in alike.values():
        if len(members) < 2:
            why = mixed.get(members[0].root)
            _explain(members[0], _ALONE + (f": {why}" if why else ""), run, reasons)
            continue
        first = min((a for a in members[0].indices if a in run.producers), key=order.__getitem__)
        members.sort(key=lambda unit: unit.indices[first])
        in_attention = members[0].root in attention
        group = _group(
            members, first, run, model, sorted(members[0].indices, key=order.__getitem__)
        )
        kind: Kind = "head" if in_attention else _KINDS[run.producers[first]]
        group = UnitGroup(group.path, kind, *_rest(group))
        place = order[first], members[0].indices[first][0]
        kept.append((place, group, tuple(unit.root for unit in members)))
    kept.sort(key=lambda each: each[0])
    groups = _named([group for _, group, _ in kept], run)
    return Found(groups, tuple(roots for _, _, roots in kept), _frozen(reasons, groups, run))


def _rest(group: UnitGroup) -> tuple[int, tuple[Member, ...], tuple[Consumer, ...]]:
    return group.num_units, group.members, group.consumers


def _units(run: Carrier) -> tuple[list[Unit], dict[Axis, Counter[str]]]:
    """Labels that are free, with their indices; and of the others why they stay, by producer."""
    labels = run.labels
    roots = labels.find(torch.arange(len(labels.parents)))
    frozen: dict[int, str] = {}
    for label, why in labels.frozen.items():
        frozen.setdefault(int(roots[label]), why)
    units: dict[int, dict[Axis, list[int]]] = defaultdict(lambda: defaultdict(list))
    reasons: dict[Axis, Counter[str]] = defaultdict(Counter)
    for axis, start, size in labels.ranges:
        for index, root in enumerate(roots[start : start + size].tolist()):
            if root not in frozen:
                units[root][axis].append(index)
            elif axis in run.producers:
                reasons[axis][frozen[root]] += 1
    return [Unit(root, dict(indices)) for root, indices in units.items()], reasons


def _explain(unit: Unit, why: str, run: Carrier, reasons: dict[Axis, Counter[str]]) -> None:
    for axis, indices in unit.indices.items():
        if axis in run.producers:
            reasons[axis][why] += len(indices)


def _roots_in_attention(run: Carrier) -> set[int]:
    return {int(r) for p in run.attention for r in torch.unique(run.labels.find(p)).tolist()} - {0}


def _group(
    units: Sequence[Unit], first: Axis, run: Carrier, model: nn.Module, axes: Iterable[Axis]
) -> UnitGroup:
    members = [m for axis in axes for m in _members(axis, [unit.indices[axis] for unit in units])]
    consumers = [
        Consumer(axis[0], axis[1], module, _is_maskable(model, axis[0], module))
        for axis in dict.fromkeys((m.tensor, m.axis) for m in members)
        for module in dict.fromkeys(run.consumers.get(axis, ()))
    ]
    return UnitGroup(first[0], "channel", len(units), tuple(members), tuple(consumers))


def _members(axis: Axis, indices: Sequence[Sequence[int]]) -> list[Member]:
    """One member for each run of indices that all units have; single indices where they differ."""
    runs = [_runs(each) for each in indices]
    widths = {tuple(width for _, width in each) for each in runs}
    if len(widths) > 1:
        runs = [[(index, 1) for index in each] for each in indices]
    return [
        Member.of(axis[0], axis[1], same[0][1], [start for start, _ in same])
        for same in zip(*runs, strict=True)
    ]


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Where indices follow on one another: start and length."""
    starts = [0, *(n + 1 for n, (a, b) in enumerate(pairwise(indices)) if b != a + 1)]
    ends = [*starts[1:], len(indices)]
    return [(indices[start], end - start) for start, end in zip(starts, ends, strict=True)]


def _is_maskable(model: nn.Module, tensor: str, path: str) -> bool:
    """Whether masking the input of the module masks what this weight reads: it is a module of one
    weight that reads the input's channels as they are."""
    if not tensor.startswith(f"{path}.") or not path:
        return False
    module = model.get_submodule(path)
    if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
        return True
    weights = [each for each in module.parameters() if each.dim() > 1]
    return not list(module.children()) and len(weights) == 1 and weights[0].dim() == 2


def _named(groups: list[UnitGroup], run: Carrier) -> tuple[UnitGroup, ...]:
    """By their module; by the weight, and then its indices, where that makes several groups."""
    makers = [_module_of(group.path) for group in groups]
    named = []
    for group in groups:
        path = _module_of(group.path)
        if makers.count(path) > 1 or not path:
            path = group.path
            if sum(other.path == group.path for other in groups) > 1:
                path = f"{group.path}[{_span(group)}]"
        named.append(UnitGroup(path, group.kind, *_rest(group)))
    seen: Counter[str] = Counter()
    unique = []
    for group in named:
        seen[group.path] += 1
        again = f"#{seen[group.path]}" if seen[group.path] > 1 else ""
        unique.append(UnitGroup(group.path + again, group.kind, *_rest(group)))
    return tuple(unique)


def _module_of(tensor: str) -> str:
    """The module of a weight by that name, or the weight itself."""
    path, _, name = tensor.rpartition(".")
    if ".parametrizations." in f".{path}.":
        path = path.split("parametrizations.", 1)[0].rstrip(".")
    return path if path and name in ("weight", "original1", "original") else tensor


def _span(group: UnitGroup) -> str:
    first = next(member for member in group.members if member.tensor == group.path)
    last = first.start(group.num_units - 1) + first.width
    return f"{first.axis}:{first.start(0)}-{last - 1}"


def _frozen(
    reasons: dict[Axis, Counter[str]], groups: Iterable[UnitGroup], run: Carrier
) -> dict[str, str]:
    made = {(member.tensor, member.axis) for group in groups for member in group.members}
    frozen: dict[str, str] = {}
    for axis, _, _ in run.labels.ranges:
        if axis in reasons and axis not in made:
            frozen.setdefault(_module_of(axis[0]), reasons[axis].most_common(1)[0][0])
    return frozen
