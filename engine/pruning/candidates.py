"""From scores to edits of matched capacity: one without a layer, one without as many units."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import numpy as np
from torch import nn

from engine.contracts.edits import LAYER, UNIT, Edit
from engine.contracts.settings import ScoringSettings
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.measures.cost import Cost, cost_of
from engine.pruning import editing
from engine.pruning.criteria import Scores
from engine.tasks import Batch

# Of a network without blocks to compare with: a twentieth, about what a block of a ResNet20 holds.
SHARE_WITHOUT_BLOCKS = 0.05


def layer_edit(
    structure: NetworkStructure, scores: Scores, min_blocks: int, layers: str = "blocks"
) -> Edit | None:
    """Without the least important removable block or half; None when none may go."""
    removable = structure.removable_layers(min_blocks, layers)
    if not removable:
        return None
    # min keeps the first of equals: ties go to the block nearest the input.
    least = min(removable, key=lambda block: scores.blocks[block.path])
    return held(Edit(LAYER, blocks=(least.path,)), structure)


def unit_edit(
    structure: NetworkStructure,
    scores: Scores,
    count: int,
    allocation: str,
    seed: int,
    units: str = "inner",
) -> Edit | None:
    """Without `count` units, or as many as can go when that is fewer; None when none can.

    `uniform` takes the same fraction of every group, the remainder one by one from randomly drawn
    ones (the paper's); `global` the lowest scores wherever they are.
    """
    groups = structure.offered_groups(units)
    count = min(count, structure.num_spare_units(units))
    if count <= 0:
        return None
    if allocation == "uniform":
        quotas = _uniform_quotas(groups, count, seed)
    else:
        quotas = _global_quotas(groups, scores, count)
    going = []
    for group in groups:
        if quotas[group.path]:
            order = np.argsort(scores.units[group.path], kind="stable")
            chosen = sorted(int(i) for i in order[: quotas[group.path]])
            going.append((group.path, tuple(chosen)))
    paths = {path for path, _ in going}
    kind = kind_of(group for group in groups if group.path in paths)
    return held(Edit(kind, units=tuple(sorted(going))), structure)


def kind_of(groups: Iterable[UnitGroup]) -> str:
    """What an edit of units of these groups removes: the kind they share, or units."""
    kinds = {group.kind for group in groups}
    return kinds.pop() if len(kinds) == 1 else UNIT


def held(edit: Edit, structure: NetworkStructure) -> Edit:
    """The edit as it is kept: with its results, where the network does not show what it means."""
    return edit if structure.read_off else editing.explicit(edit, structure)


def _uniform_quotas(groups: tuple[UnitGroup, ...], count: int, seed: int) -> dict[str, int]:
    width = sum(group.num_units for group in groups)
    quotas = {
        group.path: min(group.num_units * count // width, group.num_units - 1) for group in groups
    }
    random = np.random.default_rng(seed)
    for _ in range(count - sum(quotas.values())):
        open_groups = [g.path for g in groups if quotas[g.path] < g.num_units - 1]
        quotas[open_groups[random.integers(len(open_groups))]] += 1
    return quotas


def _global_quotas(groups: tuple[UnitGroup, ...], scores: Scores, count: int) -> dict[str, int]:
    quotas = {group.path: 0 for group in groups}
    room = {group.path: group.num_units - 1 for group in groups}
    ranked = sorted(
        (score, position, index, group.path)
        for position, group in enumerate(groups)
        for index, score in enumerate(scores.units[group.path])
    )
    for _, _, _, path in ranked:
        if count and quotas[path] < room[path]:
            quotas[path] += 1
            count -= 1
    return quotas


def propose(
    model: nn.Module,
    structure: NetworkStructure,
    scores: Scores,
    scoring: ScoringSettings,
    example: Batch,
    seed: int,
) -> list[Edit]:
    """The candidates of a network, layer first; one or none where structures have run out.

    The other candidate removes as much as the layer candidate (`--match`): as many filters, as in
    the paper, of a CIFAR ResNet; of any other network, whose units may be of several kinds and of
    very different cost, as many multiply-accumulates. Without a removable block it removes as many
    as the least important one holds; of a network that never had any, a twentieth.
    """
    layer = layer_edit(structure, scores, scoring.min_blocks, scoring.layers)

    def of_count(count: int) -> Edit | None:
        return unit_edit(structure, scores, count, scoring.allocation, seed, scoring.units)

    match = scoring.match
    if match == "filters" and not structure.read_off:
        match = "macs"
    if layer is not None and match != "filters":
        most = structure.num_spare_units(scoring.units)
        units = _matched(model, layer, of_count, most, match, example)
    else:
        units = of_count(_count(structure, scores, layer))
    return [edit for edit in (layer, units) if edit is not None]


def _count(structure: NetworkStructure, scores: Scores, layer: Edit | None) -> int:
    """How many units a block holds: that of the layer candidate, or the least important one."""
    if not structure.had_blocks:
        return round(SHARE_WITHOUT_BLOCKS * sum(g.num_units for g in structure.free_groups)) or 1
    by_path = {block.path: block for block in structure.all_blocks()}
    known = [path for path in scores.blocks if path in by_path]
    # Of a network that has lost every block nothing is left to propose.
    paths = layer.blocks if layer else sorted(known, key=scores.blocks.__getitem__)[:1]
    return sum(by_path[path].num_units for path in paths)


def _matched(
    model: nn.Module,
    layer: Edit,
    of_count: Callable[[int], Edit | None],
    most: int,
    match: str,
    example: Batch,
) -> Edit | None:
    """The unit edit whose saving in MACs or parameters is nearest the layer's (bisection)."""

    def amount(edit: Edit) -> int:
        cost: Cost = cost_of(editing.apply(edit, model, share=True), example)
        return cost.num_macs if match == "macs" else cost.num_params

    @functools.cache
    def amount_without(count: int) -> int:
        edit = of_count(count)
        assert edit is not None  # one unit could go, and so can as many as are spare
        return amount(edit)

    target = amount(layer)
    low, high = 1, most
    if high < 1:
        return None
    while low < high:  # the smallest count that saves at least as much as the layer does
        middle = (low + high) // 2
        low, high = (low, middle) if amount_without(middle) <= target else (middle + 1, high)
    nearest = [count for count in (low - 1, low) if count >= 1]
    return of_count(min(nearest, key=lambda count: abs(amount_without(count) - target)))
