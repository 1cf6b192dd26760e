"""What a person wants removed, in place of the usual candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal


@dataclass(frozen=True)
class RemoveBlocks:
    """Without these blocks; where none is named, without the least important one."""

    KIND: ClassVar = "layer"
    blocks: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RemoveUnits:
    """Without so many filters, or exactly those (`units`: indices by the path of their
    convolution); where neither is given, without as many as the usual candidate."""

    KIND: ClassVar = "filter"
    count: int | None = None
    allocation: str | None = None
    units: Mapping[str, tuple[int, ...]] | None = None


@dataclass(frozen=True)
class RemoveTogether:
    """Without exactly these blocks and these units of others, in one step."""

    KIND: ClassVar = "together"
    blocks: tuple[str, ...] = ()
    units: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


EditRequest = RemoveBlocks | RemoveUnits | RemoveTogether
Take = Literal["layer", "filter", "both"]


@dataclass(frozen=True)
class CandidateRequest:
    """One further candidate of a node, scored by another criterion where one is named."""

    edit: EditRequest
    criterion: str | None = None


@dataclass(frozen=True)
class BranchRequest:
    """Growing on from a node beside what is kept there: the usual candidates of a structure (or of
    `both`), or the one that a person asks for; `iterations` decisions, this one included."""

    take: Take | CandidateRequest
    iterations: int = 1
