"""Edits as data: exactly what one step removes from a network.

An edit names what goes for people (`blocks`, `units` by group) and, but for CIFAR ResNets, what is
carried out: results, so that a network is built again without looking at it.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.contracts.codec import FormatError, decode, encode
from engine.contracts.errors import EditError
from engine.contracts.json_values import JsonValue
from engine.contracts.structure import HowRemoved

LAYER, FILTER, UNIT = "layer", "filter", "unit"
# What an edit removes: a layer, or units of one kind; `unit` where they are of several kinds.
STRUCTURES = (LAYER, FILTER, "neuron", "head", "channel", "expert", UNIT)


@dataclass(frozen=True)
class Removal:
    """What stands in a block's place; see `engine.contracts.structure.Block`."""

    path: str
    how: HowRemoved = "delete"
    num_results: int = 0


@dataclass(frozen=True)
class Slice:
    """A parameter or buffer goes on without these indices of an axis (ascending)."""

    tensor: str
    axis: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Attribute:
    """A plain number that a module's forward pass reads, smaller than it was; `position` is its
    place where the attribute holds several."""

    module: str
    name: str
    value: int
    position: int | None = None


@dataclass(frozen=True)
class Size:
    """A number written into a forward pass, smaller than it was: argument `position` of the
    `call`-th call that names sizes within `module`."""

    module: str
    call: int
    position: int
    value: int


@dataclass(frozen=True)
class Edit:
    """What one step removes: `blocks` of a layer edit, `units` (group, indices) of any other, which
    may be without blocks too, of which it has no units."""

    structure: str  # one of STRUCTURES
    blocks: tuple[str, ...] = ()
    units: tuple[tuple[str, tuple[int, ...]], ...] = ()
    removals: tuple[Removal, ...] = ()
    slices: tuple[Slice, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    sizes: tuple[Size, ...] = ()

    @property
    def num_units(self) -> int:
        return sum(len(indices) for _, indices in self.units)

    @property
    def is_explicit(self) -> bool:
        """Whether it holds what is carried out; else it is one of a CIFAR ResNet."""
        return bool(self.removals or self.slices)

    def as_json(self) -> dict[str, JsonValue]:
        """The edit as a store and a checkpoint keep it."""
        told: dict[str, JsonValue] = {"structure": self.structure}
        if self.structure == LAYER or self.blocks:
            told["blocks"] = list(self.blocks)
        if self.structure != LAYER:
            # The name is that of the first edits, which were of filters only.
            told["filters"] = {path: list(indices) for path, indices in self.units}
        for name in _RESULTS:
            if results := getattr(self, name):
                told[name] = [encode(result, defaults=False) for result in results]
        return told

    @staticmethod
    def from_json(value: Any) -> Edit:
        """The edit of `as_json`. Raises EditError for anything else."""
        structure = value.get("structure") if isinstance(value, Mapping) else None
        if structure not in STRUCTURES:
            raise EditError(
                f"unknown structure {str(structure)[:80]!r} in an edit; it is one of "
                f"{', '.join(STRUCTURES)}"
            )
        try:
            results = {name: _read(kind, value, name) for name, kind in _RESULTS.items()}
            blocks = value["blocks"] if structure == LAYER else value.get("blocks", ())
            if isinstance(blocks, str):
                raise TypeError("one name is no list of names")
            blocks = tuple(str(b) for b in blocks)
            if structure == LAYER:
                return Edit(LAYER, blocks=blocks, **results)
            units = sorted(
                (str(path), tuple(sorted(operator.index(i) for i in indices)))
                for path, indices in value["filters"].items()
            )
            return Edit(structure, blocks, tuple(units), **results)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EditError(f"this edit cannot be read: {repr(value)[:200]}") from error


_RESULTS: dict[str, Any] = {
    "removals": tuple[Removal, ...],
    "slices": tuple[Slice, ...],
    "attributes": tuple[Attribute, ...],
    "sizes": tuple[Size, ...],
}


def _read(kind: Any, value: Mapping[str, Any], name: str) -> Any:
    try:
        return decode(kind, value.get(name, ()), name)
    except FormatError as error:
        raise ValueError(str(error)) from error
