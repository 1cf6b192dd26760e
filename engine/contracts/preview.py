"""What a candidate would be, told before it is made: the job that looks, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.contracts.networks import DataRef, Execution, NetworkRef, Scores
from engine.contracts.requests import EditRequest
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import NetworkStructure


@dataclass(frozen=True)
class Preview:
    """Say what the candidate that a person asks for would cost, and how accurate it is before any
    recovery on a few validation items. Nothing of it is kept. Gives Previewed.

    The fields are those of the proposal that would make it, with the scores of an earlier one.
    """

    KIND: ClassVar = "preview"
    parent: NetworkRef
    data: DataRef
    execution: Execution
    scoring: ScoringSettings
    seed: int
    request: EditRequest
    scores: Scores
    structure: NetworkStructure | None = None
    num_items: int = 256


@dataclass(frozen=True)
class Previewed:
    """A candidate before it is made, beside its parent. Accuracies are percent, of the same few
    validation items (None where there are none)."""

    KIND: ClassVar = "previewed"
    macs: int
    params: int
    num_bytes: int
    parent_macs: int
    parent_params: int
    parent_bytes: int
    num_items: int = 0
    accuracy: float | None = None
    parent_accuracy: float | None = None
    seconds: float = 0.0
