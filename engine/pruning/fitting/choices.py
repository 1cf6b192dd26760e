"""What may go of a network, each with what it costs to lose it: what a plan chooses among."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.contracts.edits import LAYER, UNIT, Edit
from engine.contracts.errors import ScoresError
from engine.contracts.networks import Scores
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.contracts.structure_after import structure_after
from engine.pruning.allocations.taking import steps_of
from engine.pruning.limits import Limits


@dataclass(frozen=True)
class BlockChoice:
    """A block that may go, with its importance."""

    path: str
    stage: str
    importance: float


@dataclass(frozen=True)
class GroupChoice:
    """A group of which units may go, in steps: `gone[j]` units after j steps (`gone[0]` is 0), with
    the summed importance `lost[j]`. `order` has its units, the least important one first; `block`
    the one that takes it along, if that may go."""

    path: str
    block: str | None
    gone: tuple[int, ...]
    lost: tuple[float, ...]
    order: tuple[int, ...]


@dataclass(frozen=True)
class Choices:
    """All of it; of a stage's blocks at most `most_of_stage` go."""

    blocks: tuple[BlockChoice, ...]
    groups: tuple[GroupChoice, ...]
    most_of_stage: Mapping[str, int]

    def edit(self, blocks: frozenset[str], steps: Mapping[str, int], kind: str = UNIT) -> Edit:
        """The edit of these blocks, and of each group so many steps."""
        units = tuple(
            sorted(
                (group.path, tuple(sorted(group.order[: group.gone[steps[group.path]]])))
                for group in self.groups
                if steps.get(group.path)
            )
        )
        paths = tuple(block.path for block in self.blocks if block.path in blocks)
        return Edit(kind if units else LAYER, blocks=paths, units=units)


def choices_of(
    structure: NetworkStructure, scores: Scores, scoring: ScoringSettings, limits: Limits
) -> Choices:
    """What the settings let go: whole blocks, and units inside of blocks or beside them.

    Raises ScoresError for scores that cannot be added up.
    """
    every = (*scores.blocks.values(), *(v for values in scores.units.values() for v in values))
    if not all(map(math.isfinite, every)):
        raise ScoresError(
            "some scores are no finite numbers (the network answers with none for some items), so "
            "that no sum of them can be least; score by another criterion, such as l1"
        )
    free = limits.removable_layers(structure, scoring.min_blocks, "blocks")
    stages = {block.path: block.stage for block in structure.blocks}
    blocks = tuple(BlockChoice(b.path, stages[b.path], scores.blocks[b.path]) for b in free)
    removable = {block.path for block in blocks}
    groups = (_group(g, scores, limits, scoring.round_to, removable) for g in structure.free_groups)
    return Choices(
        blocks,
        tuple(group for group in groups if len(group.gone) > 1),
        _most_of_stage(structure, limits, scoring.min_blocks),
    )


def _group(
    group: UnitGroup, scores: Scores, limits: Limits, round_to: int, removable: set[str]
) -> GroupChoice:
    values = np.asarray(scores.units[group.path], np.float64)
    order = np.argsort(values, kind="stable")
    gone = [0, *steps_of(group.num_units, limits.room(group), round_to).tolist()]
    lost = np.concatenate(([0.0], np.cumsum(values[order])))
    return GroupChoice(
        group.path,
        group.block if group.block in removable else None,
        tuple(gone),
        tuple(float(lost[count]) for count in gone),
        tuple(order.tolist()),
    )


def _most_of_stage(structure: NetworkStructure, limits: Limits, min_blocks: int) -> dict[str, int]:
    """How many blocks of each stage may go together."""
    found: Counter[str] = Counter()
    while free := limits.removable_layers(structure, min_blocks, "blocks"):
        (gone,) = (block for block in structure.blocks if block.path == free[0].path)
        found[gone.stage] += 1
        structure = structure_after(structure, Edit(LAYER, blocks=(gone.path,)))
    return dict(found)
