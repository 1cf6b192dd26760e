"""The engine: networks, data, pruning, training, measuring. `engine.load` opens a checkpoint.

Importing the package is cheap; PyTorch comes with the first thing that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.checkpoints import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from engine.checkpoints import load

        return load
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
