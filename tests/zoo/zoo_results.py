"""What the zoo found out about each network, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.contracts.codec import decode, encode

KEPT = Path(__file__).parents[2] / "benchmarks" / "zoo.json"


@dataclass(frozen=True)
class Saving:
    """What one candidate removes, and which parts of the whole that saves."""

    what: str  # a block's path, or how many units of which kind
    macs: float
    params: float


@dataclass(frozen=True)
class Found:
    """One network. `refused` says why it cannot be explored, `problem` what is wrong with
    pe-explore there; `left_out` counts modules by the reason for which they stay."""

    reference: str
    size: int = 0  # pixels
    blocks: int = 0
    removable: int = 0
    parts: int = 0
    groups: Mapping[str, int] = field(default_factory=dict)  # by kind
    units: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0  # of one core, for the structure with its checks
    layer: Saving | None = None
    unit: Saving | None = None
    refused: str = ""
    problem: str = ""

    @property
    def library(self) -> str:
        return self.reference.partition(":")[0]

    @property
    def name(self) -> str:
        return self.reference.partition(":")[2]


def read(path: Path = KEPT) -> dict[str, Found]:
    """The networks that are done, by reference."""
    if not path.exists():
        return {}
    told = json.loads(path.read_text())
    return {each["reference"]: decode(Found, each, "zoo") for each in told}


def write(found: Mapping[str, Found], path: Path = KEPT) -> None:
    """A line a network, so that what has changed shows in a difference."""
    lines = [
        json.dumps(encode(each, defaults=False), ensure_ascii=False) for each in found.values()
    ]
    new = path.with_suffix(".new")
    new.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    new.replace(path)
