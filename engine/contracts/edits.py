"""Edits as data: exactly what one step removes from a network."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.contracts.errors import EditError
from engine.contracts.json_values import JsonValue


@dataclass(frozen=True)
class Edit:
    """What one step removes: `blocks` of a layer, `filters` (path, indices) of a filter edit."""

    structure: str  # "layer" or "filter"
    blocks: tuple[str, ...] = ()
    filters: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def num_filters(self) -> int:
        return sum(len(indices) for _, indices in self.filters)

    def as_json(self) -> dict[str, JsonValue]:
        """The edit as a store and a checkpoint keep it."""
        if self.structure == "layer":
            return {"structure": "layer", "blocks": list(self.blocks)}
        return {"structure": "filter", "filters": {path: list(ix) for path, ix in self.filters}}

    @staticmethod
    def from_json(value: Any) -> Edit:
        """The edit of `as_json`. Raises EditError for anything else."""
        structure = value.get("structure") if isinstance(value, Mapping) else None
        try:
            if structure == "layer":
                if isinstance(value["blocks"], str):
                    raise TypeError("one name is no list of names")
                return Edit("layer", blocks=tuple(str(b) for b in value["blocks"]))
            if structure == "filter":
                filters = sorted(
                    (str(path), tuple(sorted(operator.index(i) for i in indices)))
                    for path, indices in value["filters"].items()
                )
                return Edit("filter", filters=tuple(filters))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EditError(f"this edit cannot be read: {repr(value)[:200]}") from error
        raise EditError(
            f"unknown structure {str(structure)[:80]!r} in an edit; it is 'layer' or 'filter'"
        )
