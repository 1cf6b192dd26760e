"""Where an exported network comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.json_values import JsonValue
from engine.contracts.networks import Architecture, DataDescription


@dataclass(frozen=True)
class Provenance:
    """How to build a network again, on what it was trained, and what was measured of it."""

    architecture: Architecture
    data: DataDescription
    metrics: Mapping[str, JsonValue] = field(default_factory=dict)
