"""Networks written as files for others to use, by suffix.

One more format is a module like `pytorch_file`, a row here and its words in
`engine.contracts.export_formats`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import nn

from engine.export.provenance import Provenance
from engine.export.pytorch_file import write_pytorch
from engine.export.safetensors_file import write_safetensors

__all__ = ["EXPORTERS", "Exporter", "Provenance"]


class Exporter(Protocol):
    """Writes a network, and where it comes from, as one file: whole, or not at all.

    `engine.checkpoints.load` opens the file again as the same network, bit for bit.
    """

    def __call__(self, model: nn.Module, about: Provenance, destination: Path) -> None: ...


EXPORTERS: Mapping[str, Exporter] = {
    ".pt": write_pytorch,
    ".safetensors": write_safetensors,
}
