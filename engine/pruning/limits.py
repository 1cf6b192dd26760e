"""What a person's settings leave to go: `--keep`, `--keep-fraction`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.contracts.edits import Edit
from engine.contracts.keeping import Kept, kept
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import Block, NetworkStructure, Part, UnitGroup


@dataclass(frozen=True)
class Limits:
    """What stays of a network: blocks and groups that are kept, and `keep_fraction` of the units
    that each group began with. `edits` are those that made the network from its beginning."""

    kept: Kept = field(default_factory=Kept)
    keep_fraction: float = 0.0
    edits: tuple[Edit, ...] = ()

    @staticmethod
    def of(
        scoring: ScoringSettings, structure: NetworkStructure, edits: Iterable[Edit] = ()
    ) -> Limits:
        return Limits(kept(structure, scoring.keep), scoring.keep_fraction, tuple(edits))

    def room(self, group: UnitGroup) -> int:
        """How many units a group may give at most; one stays in any case."""
        if group.path in self.kept.groups:
            return 0
        return max(0, group.num_units - max(1, self.floor(group)))

    def floor(self, group: UnitGroup) -> int:
        """How many of its units stay: a share of those that it had in the network that its factory
        makes, before any edit."""
        began = group.num_units + sum(len(dict(e.units).get(group.path, ())) for e in self.edits)
        return math.ceil(self.keep_fraction * began - 1e-9)  # .1 * 30 is a little more than 3

    def removable_layers(
        self, structure: NetworkStructure, min_blocks: int, layers: str
    ) -> tuple[Block | Part, ...]:
        """What a layer candidate may be without, of what is not kept."""
        found = structure.removable_layers(min_blocks, layers)
        return tuple(block for block in found if block.path not in self.kept.blocks)
