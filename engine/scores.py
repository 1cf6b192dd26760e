"""What a criterion says of a network's structures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from engine.data import ImageData, Images
from engine.device import Execution
from engine.monitor import Monitor


@dataclass(frozen=True)
class Scores:
    """Importance (the least goes first): by block path, and by convolution path a filter."""

    blocks: dict[str, float]
    filters: dict[str, tuple[float, ...]]

    def as_dict(self) -> dict[str, Any]:
        return {"blocks": self.blocks, "filters": {k: list(v) for k, v in self.filters.items()}}


Criterion = Callable[[nn.Module, Images, ImageData, Execution, Monitor], Scores]
