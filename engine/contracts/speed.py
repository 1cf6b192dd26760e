"""How quickly work goes on a machine: the job that measures it, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.contracts.networks import DataRef, Execution, NetworkRef
from engine.contracts.setting_sections import ScoringSettings, SimilaritySettings, TrainingSettings
from engine.contracts.structure import NetworkStructure


@dataclass(frozen=True)
class MeasureSpeed:
    """Say how quickly a network's work goes here, each part tried for so many `seconds`. Nothing
    of it is kept. Gives SpeedMeasured.

    `beside_another`: it is tried while another such job runs, as recoveries are, so that only what
    these do is looked at.
    """

    KIND: ClassVar = "speed"
    network: NetworkRef
    data: DataRef
    execution: Execution
    training: TrainingSettings
    scoring: ScoringSettings
    similarity: SimilaritySettings
    structure: NetworkStructure | None = None
    seconds: float = 1.0
    beside_another: bool = False


@dataclass(frozen=True)
class CandidateCost:
    """What a network costs without what a first step would take."""

    structure: str
    macs: int
    params: int


@dataclass(frozen=True)
class SpeedMeasured:
    """How quickly a network's work went here. Items are images, or what a task has; `rows` are
    those that a comparison is over. Of ranking: what it takes at least, and what each item adds."""

    KIND: ClassVar = "speed-measured"
    training_items_per_second: float
    evaluating_items_per_second: float
    prepare_seconds: float  # until data and network were there
    ranking_seconds: float = 0.0
    ranking_seconds_per_item: float = 0.0
    compare_seconds_per_row: float = 0.0
    resample_seconds_per_row: float = 0.0
    latency_seconds: float = 0.0  # that measuring latency takes
    edit_seconds: float = 0.0  # that making a candidate takes
    candidates: tuple[CandidateCost, ...] = ()
    seconds: float = 0.0
