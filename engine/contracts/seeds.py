"""Seeds that follow from names, so that a node is the same however its tree was grown."""

from __future__ import annotations

import hashlib


def derive(*parts: object) -> int:
    """A 63-bit seed of its parts, e.g. (run seed, node name, phase)."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
