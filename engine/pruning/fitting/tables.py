"""What a network costs as a function of what goes, exactly, from a few measurements.

A layer's cost is a product of what goes in and what comes out. So the cost of a network is linear
in the units of a group that is gone, but for pairs of groups that meet in a tensor (one makes its
rows, the other reads its columns), of which the product counts; a group that is on two axes of one
tensor meets itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.measures.cost import cost_of
from engine.pruning.explicit import explicit
from engine.pruning.fitting.choices import Choices
from engine.pruning.surgery import carry_out
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Batch

Pair = tuple[str, str]


@dataclass(frozen=True)
class Table:
    """A cost: of the whole network, what is saved with each block, with each unit of a group, and
    by how much less for each product of units of a pair."""

    whole: int
    blocks: Mapping[str, int]
    units: Mapping[str, int]
    pairs: Mapping[Pair, int]

    def left(self, blocks: frozenset[str], gone: Mapping[str, int]) -> int:
        """The cost without these blocks, and without so many units of groups outside of them."""
        saved = sum(self.blocks[path] for path in blocks)
        saved += sum(self.units[path] * count for path, count in gone.items())
        saved -= sum(each * gone.get(a, 0) * gone.get(b, 0) for (a, b), each in self.pairs.items())
        return self.whole - saved


def tables_of(
    model: nn.Module,
    structure: NetworkStructure,
    choices: Choices,
    example: Batch,
    monitor: Monitor = SILENT,
) -> dict[str, Table]:
    """The tables of `macs` and `params`. Raises Cancelled."""
    pairs = _pairs(structure, choices)
    room = {group.path: group.gone[-1] for group in choices.groups}
    total = len(choices.blocks) + len(choices.groups) + len(pairs)
    done = 0
    alike = _alike(model, structure)
    known: dict[object, tuple[int, int]] = {}  # of a block or a unit that is like another

    def saved(edit: Edit) -> tuple[int, int]:
        nonlocal done
        smaller = cost_of(carry_out(explicit(edit, structure), model, share=True), example)
        done += 1
        monitor.step("counting", done, total)
        return whole.num_macs - smaller.num_macs, whole.num_params - smaller.num_params

    def without(units: Mapping[str, int]) -> tuple[int, int]:
        named = sorted((path, tuple(range(count))) for path, count in units.items())
        return saved(Edit("unit", units=tuple(named)))

    whole = cost_of(model, example)
    blocks, one = {}, {}
    for path in (block.path for block in choices.blocks):
        key: object = alike.get(path, path)
        if key not in known:
            known[key] = saved(Edit("layer", blocks=(path,)))
        blocks[path] = known[key]
    for path in room:
        key = alike.get(path, path)
        if key not in known:
            known[key] = without({path: 1})
        one[path] = known[key]
    two = {
        pair: without({a: 2} if a == b else {a: 1, b: 1})
        for pair in pairs
        for a, b in [pair]
        if a != b or room[a] > 1
    }
    found = {}
    for kind, name in enumerate(("macs", "params")):
        products = {}
        units = {path: each[kind] for path, each in one.items()}
        for (a, b), together in two.items():
            lacks = one[a][kind] + one[b][kind] - together[kind]
            if a == b:  # one unit saves u - p, two 2u - 4p
                lacks //= 2
                units[a] += lacks
            if lacks:
                products[a, b] = lacks
        found[name] = Table(
            (whole.num_macs, whole.num_params)[kind],
            {path: each[kind] for path, each in blocks.items()},
            units,
            products,
        )
    return found


def _alike(model: nn.Module, structure: NetworkStructure) -> dict[str, tuple[object, ...]]:
    """Of a CIFAR ResNet, by block and group what its cost depends on: of a stage all blocks behind
    its first one see maps of one size. Of other networks nothing is known."""
    found: dict[str, tuple[object, ...]] = {}
    tensors = model.state_dict() if structure.read_off else {}
    for block in structure.blocks if structure.read_off else ():
        start = f"{block.path}."
        shapes = tuple(
            (name.removeprefix(start), tuple(tensor.shape))
            for name, tensor in tensors.items()
            if name.startswith(start)
        )
        is_first = block.stays is not None
        found[block.path] = (block.stage, is_first and block.path, shapes)
        for group in structure.groups:
            if group.block == block.path:
                found[group.path] = (*found[block.path], group.path.removeprefix(start))
    return found


def _pairs(structure: NetworkStructure, choices: Choices) -> list[Pair]:
    """The groups that meet on two axes of a tensor."""
    chosen = {group.path for group in choices.groups}
    axes: dict[str, dict[str, set[int]]] = {}
    for group in structure.groups:
        if group.path in chosen:
            for tensor, axis in _places(group):
                axes.setdefault(tensor, {}).setdefault(group.path, set()).add(axis)
    found: dict[Pair, None] = {}
    for by_path in axes.values():
        for a, b in combinations_with_replacement(sorted(by_path), 2):
            if len(by_path[a] | by_path[b]) > 1 and (a != b or len(by_path[a]) > 1):
                found[a, b] = None
    return list(found)


def _places(group: UnitGroup) -> set[tuple[str, int]]:
    return {(member.tensor, member.axis) for member in group.members}
