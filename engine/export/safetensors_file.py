"""A safetensors file whose metadata say what a checkpoint of ours says."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
from torch import nn

from engine.checkpoints.own_metadata import metadata_of
from engine.contracts.files import write_atomically
from engine.export.provenance import Provenance
from engine.runtime.sharing import apart


def write_safetensors(model: nn.Module, about: Provenance, destination: Path) -> None:
    """Writes the network's tensors, with everything else as JSON in the file's metadata."""
    tensors = apart(model.state_dict())
    metadata = metadata_of(about.architecture, about.data, about.metrics)
    write_atomically(
        destination, lambda path: safetensors.torch.save_file(tensors, path, metadata=metadata)
    )
