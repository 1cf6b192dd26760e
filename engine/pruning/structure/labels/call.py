"""One operation that a network has run, as rules see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch._ops import OpOverload


@dataclass(frozen=True)
class Call:
    """An operation with what it got and gave."""

    func: OpOverload
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: list[Tensor]
    outs: list[Tensor]

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def tensor(self, place: int) -> Tensor:
        value: Tensor = self.args[place]
        return value

    def tensors(self, *places: int) -> list[Tensor]:
        """Those arguments that are there and are tensors."""
        there = [self.args[place] for place in places if place < len(self.args)]
        return [value for value in there if isinstance(value, Tensor)]

    @property
    def out(self) -> Tensor:
        return self.outs[0]
