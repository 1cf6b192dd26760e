"""A run's root as far as this app knows its family: the widths of a CIFAR ResNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.codec import FormatError, decode
from engine.contracts.edits import Edit
from engine.contracts.errors import EditError
from engine.contracts.json_values import JsonObject

FAMILY = "cifar_resnet"


@dataclass(frozen=True)
class ResNetArguments:
    """What a CIFAR ResNet is built with: the filters of its stem and stages, and those of each
    block's first convolution, by stage."""

    inner_widths: tuple[tuple[int, ...], ...]
    stem_width: int
    stage_widths: tuple[int, ...]
    num_classes: int = 10
    in_channels: int = 3


@dataclass(frozen=True)
class RootNetwork:
    """A root of a known family, and the edits that made it what it was at the run's beginning."""

    arguments: ResNetArguments
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class _Stored:
    factory: str = ""
    arguments: JsonObject = field(default_factory=dict)
    edits: tuple[JsonObject, ...] = ()


def root_network(architecture: Mapping[str, object]) -> RootNetwork | None:
    """The root that a run's stored architecture describes, None for families not known here."""
    try:
        stored = decode(_Stored, architecture)
        if stored.factory != FAMILY:
            return None
        edits = tuple(Edit.from_json(edit) for edit in stored.edits)
        return RootNetwork(decode(ResNetArguments, stored.arguments), edits)
    except (FormatError, EditError):
        return None
