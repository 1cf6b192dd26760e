"""What a checkpoint of ours says beside its tensors, as the metadata of a safetensors file.

Such metadata are text by name: `pe-explore` holds the format, `architecture`, `data` and `metrics`
are JSON, and `format` is `pt`, for that is what other readers look for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.checkpoints.errors import ArchitectureError
from engine.checkpoints.write import FORMAT
from engine.contracts.codec import encode
from engine.contracts.json_values import JsonObject
from engine.contracts.message_text import plain
from engine.contracts.networks import Architecture, DataDescription

_MARK = "pe-explore"
_PARTS = ("architecture", "data", "metrics")


def metadata_of(
    architecture: Architecture, data: DataDescription, metrics: JsonObject
) -> dict[str, str]:
    """The metadata to write beside a network's tensors."""
    parts = {"architecture": encode(architecture), "data": encode(data), "metrics": encode(metrics)}
    return {"format": "pt", _MARK: FORMAT} | {key: json.dumps(v) for key, v in parts.items()}


def with_metadata(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Mapping[str, Any]:
    """The content of a checkpoint of ours where the metadata are those of one; else the tensors.

    Raises ArchitectureError where they are no JSON.
    """
    if _MARK not in metadata:
        return tensors
    content: dict[str, Any] = {"format": metadata[_MARK], "state_dict": tensors}
    for part in _PARTS:
        try:
            content[part] = json.loads(metadata.get(part, "null"))
        except (ValueError, RecursionError) as error:
            raise ArchitectureError(
                f"its metadata {part!r} are no JSON ({plain(str(error))}); write the checkpoint "
                "again"
            ) from error
    return content
