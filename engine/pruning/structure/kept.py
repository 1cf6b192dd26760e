"""What modules keep from call to call: whether a second call may give something else than the
first."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import Enum

import torch
from torch import Tensor, nn

_PLAIN = (
    *(bool, int, float, complex, str, bytes, type(None), type, range, Enum, nn.Module),
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodType),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format),
)


class Kept:
    """All that a network's modules have on themselves, as it was when this was made."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self._before = module, list(_parts(module))

    def may_differ(self) -> bool:
        """Whether anything is another thing now, or is of a class of which nobody can say."""
        now = list(_parts(self._module))
        return len(now) != len(self._before) or any(
            new is not old or version != old_version or version is None
            for (new, version), (old, old_version) in zip(now, self._before, strict=True)
        )


def _parts(module: nn.Module) -> Iterator[tuple[object, int | None]]:
    for inner in module.modules():
        for value in vars(inner).values():
            yield from _inside(value)


def _inside(value: object) -> Iterator[tuple[object, int | None]]:
    """A value and, of a container, what is in it, each with a number that changes when it does;
    None where it may change unnoticed."""
    if isinstance(value, Tensor):
        yield value, None if value.is_inference() else value._version
    elif isinstance(value, Mapping) and type(value).__module__ in ("builtins", "collections"):
        for key, each in value.items():
            yield from _inside(key)
            yield from _inside(each)
    elif type(value) in (list, tuple, set, frozenset, torch.Size):
        for each in value:  # type: ignore[attr-defined]
            yield from _inside(each)
    else:
        yield value, 0 if isinstance(value, _PLAIN) else None
