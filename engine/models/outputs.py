"""The one tensor among what a network gives that everything here is about: its logits."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from engine.contracts.errors import EngineError
from engine.contracts.message_text import shown

LOGITS = "logits"


def output_of(result: object, key: str | None = None) -> Tensor:
    """The logits in what a network gives: the tensor itself, what it calls `logits`, or its only
    one. `key` says which it is of several. Raises EngineError where nobody can know.
    """
    if isinstance(result, Tensor):
        return result
    found = _named(result)
    if key is not None:
        if key not in found:
            raise EngineError(
                f"the network gives no output {shown(key)}; it gives {_told(found) or 'no tensor'}"
            )
        return found[key]
    if LOGITS in found:
        return found[LOGITS]
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise EngineError(
            f"the network gives no tensor but a {type(result).__name__}; it has to give one of "
            "logits, or a dict with 'logits'"
        )
    raise EngineError(
        f"the network gives {len(found)} outputs ({_told(found)}) and calls none of them "
        f"'{LOGITS}'; say which one classifies, as in --output {next(iter(found))} (of train: "
        "--output-key)"
    )


def _named(result: object) -> dict[str, Tensor]:
    """The floating-point tensors of a result by their names, or by their numbers."""
    if isinstance(result, Mapping):
        items = [(str(name), value) for name, value in result.items()]
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        items = list(zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        items = [(str(number), value) for number, value in enumerate(result)]
    else:  # a dataclass, or whatever a library makes of its outputs
        items = list(getattr(result, "__dict__", {}).items())
    return {
        name: value
        for name, value in items
        if isinstance(value, Tensor) and value.is_floating_point()
    }


def _told(found: Mapping[str, Tensor]) -> str:
    shapes = {name: "×".join(map(str, tensor.shape)) for name, tensor in found.items()}
    return ", ".join(f"{shown(name)} of {shape}" for name, shape in shapes.items())
