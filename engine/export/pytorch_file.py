"""A checkpoint in our own format, as `torch.save` writes it."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from engine.checkpoints import write as checkpoint
from engine.export.provenance import Provenance


def write_pytorch(model: nn.Module, about: Provenance, destination: Path) -> None:
    """Writes the network and all that is known of it as one dict."""
    checkpoint.save(destination, about.architecture, model.state_dict(), about.data, about.metrics)
