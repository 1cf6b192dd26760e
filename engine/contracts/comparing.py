"""How criteria rank a network against the exact KL: the job that compares them, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.contracts.networks import DataRef, Execution, NetworkRef
from engine.contracts.structure import NetworkStructure


@dataclass(frozen=True)
class CompareCriteria:
    """Rank a network by each criterion and by the exact KL on the same training items. Gives
    CriteriaCompared.

    The items are dealt into so many `draws`, each of which is scored apart. `units` says which
    units are ranked.
    """

    KIND: ClassVar = "criteria"
    network: NetworkRef
    data: DataRef
    execution: Execution
    criteria: tuple[str, ...]
    num_items: int
    draws: int
    seed: int
    units: str = "inner"
    structure: NetworkStructure | None = None


@dataclass(frozen=True)
class Estimate:
    """A figure over all items, and the ends of its 95 % interval over draws of items."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CriterionCompared:
    """How a criterion ranks: the rank correlation with the exact KL of all units, of those within a
    group (the mean), and of blocks, and which part of the least important tenth of the units is the
    same. None where there are too few to compare; `reason` says why a criterion does not apply."""

    name: str
    reason: str | None = None
    units: Estimate | None = None
    within_groups: Estimate | None = None
    least_tenth: Estimate | None = None
    blocks: Estimate | None = None
    seconds: float | None = None  # for all items


@dataclass(frozen=True)
class CriteriaCompared:
    """How criteria rank against `reference` on these items."""

    KIND: ClassVar = "criteria-compared"
    reference: str
    num_items: int
    draws: int
    num_units: int
    num_blocks: int
    criteria: tuple[CriterionCompared, ...]
    seconds: float = 0.0
