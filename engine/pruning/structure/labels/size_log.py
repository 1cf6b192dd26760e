"""Every size that a forward pass names, with the labels of what it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from engine.pruning.structure.labels.carrier import Carrier
from engine.pruning.structure.labels.planes import along
from engine.pruning.surgery.named_sizes import SIZED, numbers_of, split_axis


@dataclass(frozen=True)
class NamedSize:
    """A number of one call, and the labels (a row each) that it counts."""

    module: str
    call: int
    position: int
    value: int
    rows: Tensor


class SizeLog(TorchFunctionMode):
    """Notes those calls beside a label run."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__()
        self.carrier = carrier
        self.found: list[NamedSize] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func in SIZED and self.carrier.stack:
            running = self.carrier.stack[-1]
            call, running.num_sized = running.num_sized, running.num_sized + 1
            for position, value, rows in self._counted(func, args, kwargs, out):
                self.found.append(NamedSize(running.path, call, position, value, rows))
        return out

    def _counted(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any
    ) -> Iterable[tuple[int, int, Tensor]]:
        """Position, number and labels."""
        sort, numbers = SIZED[func], numbers_of(func, args, kwargs)
        if sort == "narrow" or sort == "index":
            yield from self._of_input(func, args, kwargs, numbers)
        elif sort in ("split", "chunk"):
            axis = split_axis(func, args, kwargs)
            for position, part in enumerate(out):
                for rows in self._rows(part, axis):
                    yield position, len(rows), rows
        else:
            first = split_axis(func, args, kwargs) if sort == "unflatten" else 0
            for position, value in enumerate(numbers):
                axis = first + position
                if value is not None and axis < out.dim() and out.shape[axis] == value:
                    for rows in self._rows(out, axis):
                        yield position, value, rows

    def _of_input(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        numbers: tuple[int | None, ...],
    ) -> Iterable[tuple[int, int, Tensor]]:
        """Numbers that say where a part of the input begins and ends."""
        x: Tensor = args[0]
        if not self.carrier.planes(x):
            return
        if SIZED[func] == "narrow":
            start, length = numbers
            for rows in self._rows(x, split_axis(func, args, kwargs)):
                if start is not None:
                    yield 0, start, rows[:start]
                if length is not None:
                    yield 1, length, rows[start or 0 :][:length]
            return
        for place, axis in _axes(args[1], x.dim()):
            for rows in self._rows(x, axis):
                for position in (2 * place, 2 * place + 1):
                    end = numbers[position]
                    if end is not None and end <= len(rows):
                        yield position, end, rows[:end]

    def _rows(self, tensor: Tensor, axis: int) -> list[Tensor]:
        planes = self.carrier.planes(tensor)
        return [along(plane, axis) for plane in planes if plane.shape[axis] > 1]


def _axes(index: Any, rank: int) -> Iterable[tuple[int, int]]:
    """The places of slices in an index, with the axes that they are of."""
    elements = index if isinstance(index, tuple) else (index,)
    if any(isinstance(each, Tensor | list) for each in elements):
        return
    used = sum(each is not None and each is not Ellipsis for each in elements)
    axis = 0
    for place, each in enumerate(elements):
        if each is Ellipsis:
            axis += rank - used
        elif each is not None:
            if isinstance(each, slice):
                yield place, axis
            axis += 1
