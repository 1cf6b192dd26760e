"""Edits as data: what one step removes from a network."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.contracts.errors import EditError


@dataclass(frozen=True)
class Edit:
    """What one step removes: `blocks` of a layer, `filters` (path, indices) of a filter edit."""

    structure: str  # "layer" or "filter"
    blocks: tuple[str, ...] = ()
    filters: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def num_filters(self) -> int:
        return sum(len(indices) for _, indices in self.filters)

    def as_dict(self) -> dict[str, Any]:
        """The edit as plain JSON values."""
        if self.structure == "layer":
            return {"structure": "layer", "blocks": list(self.blocks)}
        return {"structure": "filter", "filters": {path: list(ix) for path, ix in self.filters}}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Edit:
        """The edit of `as_dict`. Raises EditError for anything else."""
        structure = value.get("structure")
        try:
            if structure == "layer":
                return Edit("layer", blocks=tuple(str(b) for b in value["blocks"]))
            if structure == "filter":
                filters = sorted(
                    (str(path), tuple(sorted(operator.index(i) for i in indices)))
                    for path, indices in value["filters"].items()
                )
                return Edit("filter", filters=tuple(filters))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EditError(f"this edit cannot be read: {dict(value)!r}") from error
        raise EditError(f"unknown structure {structure!r} in an edit; it is 'layer' or 'filter'")
