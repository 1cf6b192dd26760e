"""What a criterion says of a network's structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from engine.contracts.errors import ScoresError
from engine.data import ImageData, Images
from engine.pruning.structure import structure_of
from engine.runtime.device import Execution
from engine.runtime.progress import Monitor


@dataclass(frozen=True)
class Scores:
    """Importance (the least goes first): by block path, and by convolution path a filter."""

    blocks: dict[str, float]
    filters: dict[str, tuple[float, ...]]

    def as_dict(self) -> dict[str, Any]:
        return {"blocks": self.blocks, "filters": {k: list(v) for k, v in self.filters.items()}}

    @staticmethod
    def from_dict(value: Mapping[str, Any], model: nn.Module) -> Scores:
        """The scores of `as_dict`. Raises ScoresError where they are not this network's."""
        structure = structure_of(model)
        expected = {group.path: group.num_filters for group in structure.filter_groups}
        try:
            blocks = {str(path): float(score) for path, score in value["blocks"].items()}
            filters = {
                str(path): tuple(float(score) for score in scores)
                for path, scores in value["filters"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ScoresError(f"these scores cannot be read: {error!r}; score again") from error
        if set(blocks) != {block.path for block in structure.blocks}:
            raise ScoresError("scores of other blocks than the network's; score again")
        if {path: len(scores) for path, scores in filters.items()} != expected:
            raise ScoresError("scores of other filters than the network's; score again")
        return Scores(blocks, filters)


Criterion = Callable[[nn.Module, Images, ImageData, Execution, Monitor], Scores]
