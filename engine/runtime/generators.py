"""Random generators of their own: the global random state is never used."""

from __future__ import annotations

import torch

from engine.contracts.seeds import derive


def generator(*parts: object) -> torch.Generator:
    """A CPU generator for these parts, e.g. (seed, "epoch", number)."""
    return torch.Generator().manual_seed(derive(*parts))
