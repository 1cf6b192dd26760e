"""Checkpoints in our own format, written; `engine.checkpoints.load` reads them again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.contracts.codec import encode
from engine.contracts.files import write_atomically
from engine.contracts.json_values import JsonObject
from engine.contracts.networks import Architecture, DataDescription

FORMAT = "pe-explore/1"


def save(
    destination: Path,
    architecture: Architecture,
    state: Mapping[str, Tensor],
    data: DataDescription,
    metrics: JsonObject,
) -> None:
    """Writes a checkpoint that `torch.load(weights_only=True)` and our `load` read."""
    content = {
        "format": FORMAT,
        "architecture": encode(architecture),
        "state_dict": {key: value.detach().cpu().contiguous() for key, value in state.items()},
        "data": encode(data),
        "metrics": dict(metrics),
    }
    write_atomically(destination, lambda path: torch.save(content, path))
