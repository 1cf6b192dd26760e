"""Programs of torch.export as networks: a list of known operations, run one after the other."""

from __future__ import annotations

from engine.models.exported.operations import OPERATIONS
from engine.models.exported.program import ExportedProgram

__all__ = ["OPERATIONS", "ExportedProgram"]
