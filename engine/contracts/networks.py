"""Networks by description: what a job needs to have them, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """Importance (the least goes first): by block path, and by convolution path a filter."""

    blocks: Mapping[str, float]
    filters: Mapping[str, tuple[float, ...]]
