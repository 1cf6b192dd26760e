"""What networks give: logits in one of the usual wrappings."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from engine.contracts.errors import EngineError


def logits_of(output: object) -> Tensor:
    """The logits (B, K) of a network's output: itself, its `logits`, or the first tensor in it.

    Raises EngineError where there is no row of logits an image.
    """
    found = _first_tensor(output)
    if found is None or found.dim() != 2:
        shape = "no tensor" if found is None else f"a tensor of shape {tuple(found.shape)}"
        raise EngineError(
            f"the network gives {shape} where one row of logits an image is looked for "
            f"(its output is of type {type(output).__name__})"
        )
    return found


def _first_tensor(output: object) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    if isinstance(getattr(output, "logits", None), Tensor):
        return output.logits  # type: ignore[attr-defined, no-any-return]
    if isinstance(output, Mapping):
        values = [output["logits"]] if "logits" in output else list(output.values())
    else:
        values = list(output) if isinstance(output, list | tuple) else []
    return next((value for value in values if isinstance(value, Tensor)), None)
