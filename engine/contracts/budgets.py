"""The best choice of what goes for budgets of cost: the job that finds it, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from engine.contracts.networks import DataRef, Execution, NetworkRef, Scores
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import NetworkStructure


@dataclass(frozen=True)
class Allowed:
    """What a network may cost at most: multiply-accumulates of a row, parameters, and of the time
    that an item takes now so many percent. Of what is None it may cost anything."""

    macs: int | None = None
    params: int | None = None
    latency: float | None = None


@dataclass(frozen=True)
class FitBudgets:
    """Say for each budget which blocks and units go such that the least importance is lost. Nothing
    of it is kept. Gives Fitted.

    The fields are those of the proposal that would score the network; without `scores` it is scored
    as that would.
    """

    KIND: ClassVar = "fit-budgets"
    parent: NetworkRef
    data: DataRef
    execution: Execution
    scoring: ScoringSettings
    seed: int
    budgets: tuple[Allowed, ...]
    scores: Scores | None = None
    structure: NetworkStructure | None = None


@dataclass(frozen=True)
class Fit:
    """What goes for one budget, and what it costs then.

    `importance` is the sum of the scores of what goes; no choice has less than `bound` (they are
    equal where the choice is proved to be the best). `macs` and `params` are predicted, `measured_`
    those of the network that is made. Where not `possible`, it is what costs the least.
    """

    allowed: Allowed
    blocks: tuple[str, ...]
    units: Mapping[str, tuple[int, ...]]
    importance: float
    bound: float
    macs: int
    params: int
    measured_macs: int
    measured_params: int
    possible: bool = True
    latency: float | None = None  # percent of what it was, predicted from times of this machine
    measured_latency: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Fitted:
    """The choices in the order of the budgets, and what the network costs as it is. `seconds` has
    everything, scoring too where it was scored anew."""

    KIND: ClassVar = "fitted"
    criterion: str
    macs: int
    params: int
    fits: tuple[Fit, ...]
    scoring_seconds: float | None = None
    table_seconds: float = 0.0
    seconds: float = 0.0
