"""A network's structure after an edit, from the structure before it and the edit alone."""

from __future__ import annotations

from engine.contracts.edits import Edit
from engine.contracts.structure import NetworkStructure


def structure_after(structure: NetworkStructure, edit: Edit) -> NetworkStructure:
    """What can be removed once the edit is carried out: without the blocks and units that are
    gone, those that stay numbered anew."""
    raise NotImplementedError
