"""Calls of torch in which a forward pass names sizes: which numbers there are, and the same call
with smaller ones. Whoever looks for such numbers and whoever lowers them count calls alike by it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.contracts.errors import EditError

Sort = Literal["shape", "unflatten", "split", "chunk", "narrow", "index"]
Function = Callable[..., Any]
Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]

SIZED: Mapping[Function, Sort] = {
    Tensor.reshape: "shape",
    torch.reshape: "shape",
    Tensor.view: "shape",
    Tensor.expand: "shape",
    Tensor.repeat: "shape",
    Tensor.broadcast_to: "shape",
    torch.broadcast_to: "shape",
    Tensor.unflatten: "unflatten",
    torch.unflatten: "unflatten",
    Tensor.split: "split",
    torch.split: "split",
    Tensor.split_with_sizes: "split",
    torch.split_with_sizes: "split",
    Tensor.chunk: "chunk",
    torch.chunk: "chunk",
    Tensor.narrow: "narrow",
    torch.narrow: "narrow",
    Tensor.__getitem__: "index",
}
_CALL = nn.Module.__call__.__code__


def running_module() -> nn.Module | None:
    """The innermost module that is being called: calls are numbered within it, so that what stands
    beside it or inside of it can go without changing a number."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _CALL:
        frame = frame.f_back
    found = frame.f_locals.get("self") if frame is not None else None
    return found if isinstance(found, nn.Module) else None


def numbers_of(func: Function, args: Arguments, kwargs: Keywords) -> tuple[int | None, ...]:
    """The numbers of a call of `SIZED` by position; None where there is none that can shrink."""
    match SIZED[func]:
        case "shape":
            return tuple(map(_plain, _shape(args, kwargs)))
        case "unflatten":
            return tuple(map(_plain, _argument(args, kwargs, 2, "sizes", "unflattened_size")))
        case "narrow":
            start = _argument(args, kwargs, 2, "start")
            return _plain(start), _plain(_argument(args, kwargs, 3, "length"))
        case "index":
            return tuple(number for element in _elements(args[1]) for number in _ends(element))
        case "split" | "chunk":
            return tuple(_pieces(func, args, kwargs, {}))


def split_axis(func: Function, args: Arguments, kwargs: Keywords) -> int:
    """The axis that a call of `unflatten`, `split`, `chunk` or `narrow` works on."""
    place = 1 if SIZED[func] in ("narrow", "unflatten") else 2
    has_one = "dim" in kwargs or len(args) > place
    dim: int = _argument(args, kwargs, place, "dim") if has_one else 0
    x: Tensor = args[0]
    return dim % max(1, x.dim())


def with_numbers(
    func: Function, args: Arguments, kwargs: Keywords, new: Mapping[int, int]
) -> tuple[Function, Arguments, Keywords]:
    """The call with those numbers at those positions. Raises EditError for a number that is not
    there or is smaller already."""
    x: Tensor = args[0]
    sort = SIZED[func]
    if sort in ("split", "chunk"):
        pieces = _pieces(func, args, kwargs, new)
        return torch.split, (x, pieces, split_axis(func, args, kwargs)), {}
    numbers = numbers_of(func, args, kwargs)
    for position, value in new.items():
        before = numbers[position] if position < len(numbers) else None
        if before is None or before < value:
            raise EditError(
                f"an edit makes a size of a forward pass {value}, which is "
                f"{'no number' if before is None else before} there ({func.__name__})"
            )
    if sort == "narrow":
        start, length = (_argument(args, kwargs, 2, "start"), _argument(args, kwargs, 3, "length"))
        dim = split_axis(func, args, kwargs)
        return func, (x, dim, new.get(0, start), new.get(1, length)), {}
    if sort == "index":
        return func, (x, _with_ends(_elements(args[1]), new)), {}
    if sort == "unflatten":
        sizes = list(_argument(args, kwargs, 2, "sizes", "unflattened_size"))
        return func, (x, split_axis(func, args, kwargs), _replaced(sizes, new)), {}
    return func, (x, _replaced(list(_shape(args, kwargs)), new)), {}


def _plain(number: object) -> int | None:
    return number if isinstance(number, int) and number > 0 else None


def _argument(args: Arguments, kwargs: Keywords, place: int, *names: str) -> Any:
    if len(args) > place:
        return args[place]
    return next(kwargs[name] for name in names if name in kwargs)


def _shape(args: Arguments, kwargs: Keywords) -> Sequence[Any]:
    """The sizes of `x.view(2, 3)`, `x.view((2, 3))` and `x.view(size=(2, 3))`."""
    if len(args) == 1:
        named = next((v for v in kwargs.values() if isinstance(v, tuple | list)), ())
        return tuple(named)
    return tuple(args[1]) if isinstance(args[1], tuple | list) else args[1:]


def _replaced(numbers: list[Any], new: Mapping[int, int]) -> tuple[Any, ...]:
    return tuple(new.get(position, number) for position, number in enumerate(numbers))


def _elements(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _ends(element: Any) -> tuple[int | None, int | None]:
    if not isinstance(element, slice):
        return None, None
    return _plain(element.start), _plain(element.stop)


def _with_ends(elements: tuple[Any, ...], new: Mapping[int, int]) -> tuple[Any, ...]:
    return tuple(
        slice(new.get(2 * place, each.start), new.get(2 * place + 1, each.stop), each.step)
        if isinstance(each, slice)
        else each
        for place, each in enumerate(elements)
    )


def _pieces(func: Function, args: Arguments, kwargs: Keywords, new: Mapping[int, int]) -> list[int]:
    """How long the pieces are of a tensor that is split; some of them may be named anew."""
    total = args[0].shape[split_axis(func, args, kwargs)]
    if SIZED[func] == "chunk":
        count: int = _argument(args, kwargs, 1, "chunks")
        return _chunks(total, count, new)
    names = "split_size_or_sections", "split_size", "split_sizes"
    said = _argument(args, kwargs, 1, *names)
    if not isinstance(said, int):
        lengths = [new.get(position, length) for position, length in enumerate(said)]
        _check_lower(said, new)
        return lengths
    _check_lower([said] * (max(new, default=0) + 1), new)
    lengths = []
    while sum(lengths) < total:
        lengths.append(min(new.get(len(lengths), said), total - sum(lengths)))
    return lengths


def _chunks(total: int, count: int, new: Mapping[int, int]) -> list[int]:
    """As torch has them, or those that are named and, for the others, equal shares of the rest."""
    if not new:
        each = max(1, -(-total // count))
        return [min(each, total - start) for start in range(0, total, each)]
    others, rest = count - len(new), total - sum(new.values())
    if max(new) >= count or (rest != 0 if others == 0 else rest <= 0 or rest % others):
        raise EditError(f"an edit splits {total} channels into {count} parts of which {dict(new)}")
    return [new.get(place, rest // others if others else 0) for place in range(count)]


def _check_lower(lengths: Sequence[int], new: Mapping[int, int]) -> None:
    for place, value in new.items():
        if not (place < len(lengths) and value <= lengths[place]):
            raise EditError(f"an edit makes part {place} of a split {value} long; it has {lengths}")
