"""Checkpoints in our own format, written; `engine.checkpoints.load` reads them again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FORMAT = "pe-explore/1"


def write_atomically(destination: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that a crash leaves the old one or the new one, never half of it."""
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, destination)
    finally:
        temporary.unlink(missing_ok=True)


def save(
    destination: Path,
    architecture: Mapping[str, Any],
    state: Mapping[str, Tensor],
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> None:
    """Writes a checkpoint that `torch.load(weights_only=True)` and our `load` read."""
    content = {
        "format": FORMAT,
        "architecture": dict(architecture),
        "state_dict": {key: value.detach().cpu().contiguous() for key, value in state.items()},
        "data": dict(data),
        "metrics": dict(metrics),
    }
    write_atomically(destination, lambda path: torch.save(content, path))
