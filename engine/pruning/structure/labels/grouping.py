"""Groups made of labels: what has become one label is a unit; units alike form a group."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from engine.contracts.structure import Consumer, Kind, Member, UnitGroup
from engine.pruning.structure.labels.carrier import Carrier
from engine.pruning.structure.labels.union import Axis

_KINDS: dict[str, Kind] = {"conv": "filter", "linear": "neuron", "table": "channel"}
_ALONE = "all of it goes together"
NO_READER = "no weight reads it"


@dataclass(frozen=True)
class Alike:
    """Units that own as many indices of the same axes: for each axis a row a unit."""

    roots: Tensor
    indices: dict[Axis, Tensor]

    def sorted_by(self, axis: Axis) -> Alike:
        order = self.indices[axis][:, 0].argsort()
        return Alike(self.roots[order], {a: rows[order] for a, rows in self.indices.items()})


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
    roots = labels.find(torch.arange(len(labels.parents)))
    free, reasons = _free(run, roots)
    mixed = {int(labels.find(torch.tensor(label))): why for label, why in labels.mixed.items()}
    attention = {r for p in run.attention for r in torch.unique(labels.find(p)).tolist()} - {0}
    kept: list[tuple[tuple[int, int], UnitGroup, tuple[int, ...]]] = []
    for alike in _alike(run, roots, free):
        if not any(axis in run.consumers for axis in alike.indices):
            _explain(alike, NO_READER, run, reasons)
            continue
        if len(alike.roots) < 2:
            why = mixed.get(int(alike.roots[0]))
            _explain(alike, _ALONE + (f": {why}" if why else ""), run, reasons)
            continue
        first = min((a for a in alike.indices if a in run.producers), key=order.__getitem__)
        alike = alike.sorted_by(first)
        in_attention = int(alike.roots[0]) in attention
        kind: Kind = "head" if in_attention else _KINDS[run.producers[first]]
        group = _group(alike, first, kind, run, model)
        place = order[first], int(alike.indices[first][0, 0])
        kept.append((place, group, tuple(alike.roots.tolist())))
    kept.sort(key=lambda each: each[0])
    groups = _named([group for _, group, _ in kept])
    return Found(groups, tuple(roots for _, _, roots in kept), _frozen(reasons, groups, run))


def _free(run: Carrier, roots: Tensor) -> tuple[Tensor, dict[Axis, Counter[str]]]:
    """Which roots are of something that is made and may go; and why others may not, by producer."""
    why: dict[int, str] = {}
    frozen = list(run.labels.frozen)
    for label, root in zip(frozen, roots[frozen].tolist(), strict=True):
        why.setdefault(root, run.labels.frozen[label])
    is_made = torch.zeros(len(roots), dtype=torch.bool)
    reasons: dict[Axis, Counter[str]] = defaultdict(Counter)
    for axis, start, size in run.labels.ranges:
        if axis in run.producers:
            own, counts = torch.unique(roots[start : start + size], return_counts=True)
            is_made[own] = True
            for root, count in zip(own.tolist(), counts.tolist(), strict=True):
                if root in why:
                    reasons[axis][why[root]] += count
    is_made[list(why)] = False
    return is_made, reasons


def _alike(run: Carrier, roots: Tensor, free: Tensor) -> list[Alike]:
    """Free units by the axes that they own indices of, and by how many."""
    axes: list[tuple[Axis, Tensor, Tensor]] = []  # indices of each axis, and whose they are
    for axis, start, size in run.labels.ranges:
        own = roots[start : start + size]
        indices = free[own].nonzero()[:, 0]
        if len(indices):
            axes.append((axis, indices, own[indices]))
    if not axes:
        return []
    number = torch.cat([torch.full_like(own, n) for n, (_, _, own) in enumerate(axes)])
    owners = torch.cat([own for _, _, own in axes])
    coded, counts = torch.unique(owners * len(axes) + number, return_counts=True)
    units, places = torch.unique(coded // len(axes), return_inverse=True)
    marks = torch.zeros(len(units), dtype=torch.int64)
    marks.index_add_(0, places, _mark(coded % len(axes), counts))
    alike = []
    for mark in torch.unique(marks).tolist():
        of_mark = units[marks == mark]
        is_own = {n for n in (coded[coded // len(axes) == of_mark[0]] % len(axes)).tolist()}
        indices_of = {
            axis: _rows(indices, own, of_mark)
            for n, (axis, indices, own) in enumerate(axes)
            if n in is_own
        }
        alike.append(Alike(of_mark, indices_of))
    return alike


def _mark(axes: Tensor, counts: Tensor) -> Tensor:
    """Numbers whose sums tell sets of (axis, count) apart, but for one chance in 2 to the 64th."""
    mixed = (axes + 1) * 1_000_003 + counts
    for factor in (-7046029254386353131, -4658895280553007687):
        mixed = mixed * factor
        mixed = mixed ^ (mixed >> 29)
    return mixed


def _rows(indices: Tensor, owners: Tensor, units: Tensor) -> Tensor:
    """The indices of each unit, ascending; the units are, too."""
    mine = torch.isin(owners, units)
    order = owners[mine].argsort(stable=True)
    return indices[mine][order].reshape(len(units), -1)


def _explain(alike: Alike, why: str, run: Carrier, reasons: dict[Axis, Counter[str]]) -> None:
    for axis, indices in alike.indices.items():
        if axis in run.producers:
            reasons[axis][why] += indices.numel()


def _group(alike: Alike, first: Axis, kind: Kind, run: Carrier, model: nn.Module) -> UnitGroup:
    members = [m for axis, rows in alike.indices.items() for m in _members(axis, rows)]
    consumers = [
        Consumer(axis[0], axis[1], module, _is_maskable(model, axis[0], module))
        for axis in alike.indices
        for module in dict.fromkeys(run.consumers.get(axis, ()))
    ]
    return UnitGroup(first[0], kind, len(alike.roots), tuple(members), tuple(consumers))


def _members(axis: Axis, rows: Tensor) -> list[Member]:
    """One member for each run of indices that all units have; single indices where they differ."""
    breaks = rows.diff(dim=1) != 1
    starts = [0]
    if bool((breaks == breaks[:1]).all()):
        starts += (breaks[0].nonzero()[:, 0] + 1).tolist()
    else:
        starts = list(range(rows.shape[1]))
    ends = [*starts[1:], rows.shape[1]]
    return [
        Member.of(axis[0], axis[1], end - start, rows[:, start].tolist())
        for start, end in zip(starts, ends, strict=True)
    ]


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


def _named(groups: Sequence[UnitGroup]) -> tuple[UnitGroup, ...]:
    """By their module; by the weight, and then its indices, where that makes several groups."""
    makers = [_module_of(group.path) for group in groups]
    named = []
    for group in groups:
        path = _module_of(group.path)
        if makers.count(path) > 1 or not path:
            path = group.path
            if sum(other.path == group.path for other in groups) > 1:
                path = f"{group.path}[{_span(group)}]"
        named.append(replace(group, path=path))
    seen: Counter[str] = Counter()
    unique = []
    for group in named:
        seen[group.path] += 1
        again = f"#{seen[group.path]}" if seen[group.path] > 1 else ""
        unique.append(replace(group, path=group.path + again))
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
    return f"{first.start(0)}-{last - 1}"


def _frozen(
    reasons: dict[Axis, Counter[str]], groups: Iterable[UnitGroup], run: Carrier
) -> dict[str, str]:
    made = {(member.tensor, member.axis) for group in groups for member in group.members}
    frozen: dict[str, str] = {}
    for axis, _, _ in run.labels.ranges:
        if axis in reasons and axis not in made:
            frozen.setdefault(_module_of(axis[0]), reasons[axis].most_common(1)[0][0])
    return frozen
