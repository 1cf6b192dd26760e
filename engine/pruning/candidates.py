"""From scores to edits of matched capacity: one without a layer, one without as many filters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.settings import ScoringSettings
from engine.contracts.structure import NetworkStructure
from engine.measures.cost import Cost, cost_of
from engine.pruning import editing as edits
from engine.pruning.criteria import Scores
from engine.pruning.structure import structure_of


def layer_edit(structure: NetworkStructure, scores: Scores, min_blocks: int) -> Edit | None:
    """Without the least important removable block; None when no block may go."""
    removable = structure.removable_blocks(min_blocks)
    if not removable:
        return None
    # min keeps the first of equals: ties go to the block nearest the input.
    return Edit("layer", blocks=(min(removable, key=lambda b: scores.blocks[b.path]).path,))


def filter_edit(
    structure: NetworkStructure, scores: Scores, count: int, allocation: str, seed: int
) -> Edit | None:
    """Without `count` filters, or as many as can go when that is fewer; None when none can.

    `uniform` takes the same fraction of every convolution, the remainder one by one from randomly
    drawn ones (the paper's); `global` the lowest scores wherever they are.
    """
    count = min(count, structure.num_spare_units)
    if count <= 0:
        return None
    if allocation == "uniform":
        quotas = _uniform_quotas(structure, count, seed)
    else:
        quotas = _global_quotas(structure, scores, count)
    filters = []
    for group in structure.groups:
        if quotas[group.path]:
            order = np.argsort(scores.units[group.path], kind="stable")
            chosen = sorted(int(i) for i in order[: quotas[group.path]])
            filters.append((group.path, tuple(chosen)))
    return Edit("filter", units=tuple(sorted(filters)))


def _uniform_quotas(structure: NetworkStructure, count: int, seed: int) -> dict[str, int]:
    width = sum(group.num_units for group in structure.groups)
    quotas = {
        group.path: min(group.num_units * count // width, group.num_units - 1)
        for group in structure.groups
    }
    random = np.random.default_rng(seed)
    for _ in range(count - sum(quotas.values())):
        open_groups = [g.path for g in structure.groups if quotas[g.path] < g.num_units - 1]
        quotas[open_groups[random.integers(len(open_groups))]] += 1
    return quotas


def _global_quotas(structure: NetworkStructure, scores: Scores, count: int) -> dict[str, int]:
    quotas = {group.path: 0 for group in structure.groups}
    room = {group.path: group.num_units - 1 for group in structure.groups}
    ranked = sorted(
        (score, position, index, group.path)
        for position, group in enumerate(structure.groups)
        for index, score in enumerate(scores.units[group.path])
    )
    for _, _, _, path in ranked:
        if count and quotas[path] < room[path]:
            quotas[path] += 1
            count -= 1
    return quotas


def propose(
    model: nn.Module,
    scores: Scores,
    scoring: ScoringSettings,
    image_shape_HWC: tuple[int, int, int],
    seed: int,
) -> list[Edit]:
    """The candidates of a network, layer first; one or none where structures have run out.

    The filter candidate removes as much as the layer candidate (`--match`). Without a removable
    block it removes as many filters as the least important block's convolutions hold.
    """
    structure = structure_of(model)
    layer = layer_edit(structure, scores, scoring.min_blocks)

    def of_count(count: int) -> Edit | None:
        return filter_edit(structure, scores, count, scoring.allocation, seed)

    if layer is not None and scoring.match != "filters":
        filters = _matched(model, layer, of_count, structure, scoring.match, image_shape_HWC)
    else:
        # Of a network without any block nothing is left to propose.
        paths = layer.blocks if layer else sorted(scores.blocks, key=scores.blocks.__getitem__)[:1]
        by_path = {block.path: block for block in structure.blocks}
        filters = of_count(sum(by_path[path].num_units for path in paths))
    return [edit for edit in (layer, filters) if edit is not None]


def _matched(
    model: nn.Module,
    layer: Edit,
    of_count: Callable[[int], Edit | None],
    structure: NetworkStructure,
    match: str,
    image_shape_HWC: tuple[int, int, int],
) -> Edit | None:
    """The filter edit whose saving in MACs or parameters is nearest the layer's (bisection)."""

    def amount(edit: Edit) -> int:
        cost: Cost = cost_of(edits.apply(edit, model), image_shape_HWC)
        return cost.num_macs if match == "macs" else cost.num_params

    target = amount(layer)
    low, high = 1, structure.num_spare_units
    if high < 1:
        return None
    while low < high:  # the smallest count that saves at least as much as the layer does
        middle = (low + high) // 2
        edit = of_count(middle)
        assert edit is not None
        low, high = (low, middle) if amount(edit) <= target else (middle + 1, high)
    nearest = [edit for n in (low - 1, low) if n >= 1 and (edit := of_count(n)) is not None]
    return min(nearest, key=lambda edit: abs(amount(edit) - target))
