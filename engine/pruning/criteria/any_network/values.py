"""Values that go in and out of modules: tensors, and what holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

# What a network's own code raises where it is run in a way that it was not made for.
FORWARD_ERRORS = (
    RuntimeError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    NotImplementedError,
    AssertionError,
)

# What a way of running may be off by: these parts of what it changes, and of the largest logit.
EFFECT, ROUNDING = 1e-2, 2e-5


def tolerance_of(expected_PK: Tensor, before_PK: Tensor) -> float | None:
    """By how much logits may differ from those expected, which were others before.

    None where they hardly were: then equal ones show nothing.
    """
    effect = float((expected_PK - before_PK).abs().max())
    rounding = ROUNDING * float(before_PK.abs().max())
    return EFFECT * effect + rounding if effect > rounding else None


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of a value, in the order in which `mapped` meets them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


def mapped(function: Callable[[Any], Any], leaf: type | tuple[type, ...], value: Any) -> Any:
    """A value of the same form, with `function` of each leaf of that type in its place."""
    if isinstance(value, leaf):
        return function(value)
    if isinstance(value, Mapping):
        parts = {key: mapped(function, leaf, part) for key, part in value.items()}
        return parts if type(value) is dict else type(value)(**parts)
    if isinstance(value, list | tuple):
        made = [mapped(function, leaf, part) for part in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    return value


def first_tensor(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The first argument that is a tensor: what a module with a weight applies it to."""
    return next((v for v in (*args, *kwargs.values()) if isinstance(v, Tensor)), None)


def with_first_tensor(
    args: tuple[Any, ...], kwargs: dict[str, Any], new: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with another one in place of that tensor."""
    for position, value in enumerate(args):
        if isinstance(value, Tensor):
            return (*args[:position], new, *args[position + 1 :]), kwargs
    name = next(name for name, value in kwargs.items() if isinstance(value, Tensor))
    return args, {**kwargs, name: new}
