"""From scores to edits of matched capacity: one without a layer, one without as many units."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
from torch import nn

from engine.contracts.edits import LAYER, UNIT, Edit
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.contracts.structure_after import structure_after
from engine.measures.cost import Cost, cost_of
from engine.pruning import editing
from engine.pruning.allocations import Allocated, Offer, Probe
from engine.pruning.criteria import Scores
from engine.pruning.limits import Limits
from engine.tasks import Batch

# Of a network without blocks to compare with: a twentieth, about what a block of a ResNet20 holds.
SHARE_WITHOUT_BLOCKS = 0.05
NO_LIMITS = Limits()
NO_SHAPES: Mapping[str, tuple[int, ...]] = MappingProxyType({})


def layer_edit(
    structure: NetworkStructure,
    scores: Scores,
    min_blocks: int,
    layers: str = "blocks",
    *,
    count: int = 1,
    limits: Limits = NO_LIMITS,
) -> Edit | None:
    """Without the `count` least important removable blocks or halves that may go together, or as
    many as may; None when none may go. Of one block not both halves go at once."""
    going: list[str] = []
    left = structure
    while len(going) < count:
        removable = limits.removable_layers(left, min_blocks, layers)
        free = [block.path for block in removable if not _overlaps(block.path, going)]
        if not free:
            break
        # min keeps the first of equals: ties go to the block nearest the input.
        going.append(min(free, key=lambda path: scores.blocks[path]))
        left = structure_after(left, Edit(LAYER, blocks=(going[-1],)))
    if not going:
        return None
    order = {block.path: place for place, block in enumerate(structure.all_blocks())}
    return held(Edit(LAYER, blocks=tuple(sorted(going, key=order.__getitem__))), structure)


def _overlaps(path: str, going: Iterable[str]) -> bool:
    return any(f"{path}.".startswith(f"{g}.") or f"{g}.".startswith(f"{path}.") for g in going)


class UnitEdits:
    """The unit edits of a network, one for each count, as an allocation shares them out."""

    def __init__(
        self,
        structure: NetworkStructure,
        scores: Scores,
        scoring: ScoringSettings,
        seed: int,
        *,
        limits: Limits = NO_LIMITS,
        shapes: Mapping[str, tuple[int, ...]] = NO_SHAPES,
        probe: Probe | None = None,
    ) -> None:
        self._structure, self._scores = structure, scores
        self._groups = structure.offered_groups(scoring.units)
        rooms = {group.path: limits.room(group) for group in self._groups}
        kept = frozenset(limits.kept.groups)
        offer = Offer(
            self._groups, scores, rooms, kept, seed, structure.blocks, shapes, probe
        )  # fmt: skip
        self._none = not any(rooms.values())  # nothing need be looked at
        if not self._none:
            self._allocated = Allocated(scoring.allocation, offer, scoring.round_to)

    @property
    def most(self) -> int:
        """How many units can go at most."""
        return 0 if self._none else self._allocated.most

    def of_count(self, count: int) -> Edit | None:
        """Without `count` units, as near to it as whole steps allow, or as many as can go when that
        is fewer; None when none can. Within a group the lowest scores go."""
        if count <= 0 or self.most == 0:
            return None
        going = []
        for path, quota in self._allocated.quotas(count).items():
            if quota:
                order = np.argsort(self._scores.units[path], kind="stable")
                going.append((path, tuple(sorted(int(i) for i in order[:quota]))))
        paths = {path for path, _ in going}
        kind = kind_of(group for group in self._groups if group.path in paths)
        return held(Edit(kind, units=tuple(sorted(going))), self._structure)


def kind_of(groups: Iterable[UnitGroup]) -> str:
    """What an edit of units of these groups removes: the kind they share, or units."""
    kinds = {group.kind for group in groups}
    return kinds.pop() if len(kinds) == 1 else UNIT


def held(edit: Edit, structure: NetworkStructure) -> Edit:
    """The edit as it is kept: with its results, where the network does not show what it means."""
    return edit if structure.read_off else editing.explicit(edit, structure)


def propose(
    model: nn.Module,
    structure: NetworkStructure,
    scores: Scores,
    scoring: ScoringSettings,
    example: Batch,
    seed: int,
    *,
    limits: Limits | None = None,
    probe: Probe | None = None,
) -> list[Edit]:
    """The candidates of a network, layer first; one or none where structures have run out.

    The other candidate removes as much as the layer candidate (`--match`): as many filters, as in
    the paper, of a CIFAR ResNet; of any other network, whose units may be of several kinds and of
    very different cost, as many multiply-accumulates. Without a removable block it removes as many
    as the least important one holds; of a network that never had any, a twentieth. `limits` are
    those of the settings unless given; `probe` is for allocations that look at the network.
    """
    limits = limits or Limits.of(scoring, structure)
    layer = layer_edit(
        structure, scores, scoring.min_blocks, scoring.layers,
        count=scoring.blocks_per_step, limits=limits,
    )  # fmt: skip
    edits = UnitEdits(
        structure, scores, scoring, seed, limits=limits, shapes=shapes_of(model), probe=probe
    )
    match = scoring.match
    if match == "filters" and not structure.read_off:
        match = "macs"
    if layer is not None and match != "filters":
        units = _matched(model, layer, edits, match, example)
    else:
        units = edits.of_count(_count(structure, scores, layer))
    return [edit for edit in (layer, units) if edit is not None]


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's tensors, by their names."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


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
    model: nn.Module, layer: Edit, edits: UnitEdits, match: str, example: Batch
) -> Edit | None:
    """The unit edit whose saving in MACs or parameters is nearest the layer's (bisection)."""

    def amount(edit: Edit) -> int:
        cost: Cost = cost_of(editing.apply(edit, model, share=True), example)
        return cost.num_macs if match == "macs" else cost.num_params

    @functools.cache
    def amount_without(count: int) -> int:
        edit = edits.of_count(count)
        assert edit is not None  # one step could go, and so can any number
        return amount(edit)

    target = amount(layer)
    low, high = 1, edits.most
    if high < 1:
        return None
    while low < high:  # the smallest count that saves at least as much as the layer does
        middle = (low + high) // 2
        low, high = (low, middle) if amount_without(middle) <= target else (middle + 1, high)
    nearest = [count for count in (low - 1, low) if count >= 1]
    return edits.of_count(min(nearest, key=lambda count: abs(amount_without(count) - target)))
