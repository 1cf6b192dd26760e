"""Seeds that follow from names, so that a node is the same however its tree was grown."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(*parts: object) -> int:
    """A 63-bit seed of its parts, e.g. (run seed, node name, phase)."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator of its own for these parts; the global random state is never used."""
    import torch  # not at the top: the session derives seeds and never imports PyTorch

    return torch.Generator().manual_seed(derive(*parts))
