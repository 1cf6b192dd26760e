"""Hooks at the places of a network: what goes in and out there, and where gradients are taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.contracts.structure import Block, Part
from engine.pruning.criteria.any_network.places import Key, Place
from engine.pruning.criteria.any_network.values import first_tensor, tensors_in, with_first_tensor
from engine.pruning.surgery.stand_ins import Skip


class Tap(NamedTuple):
    """One call: the tensor of which gradients are taken, what is looked at, and what the module got
    of which that is the output."""

    key: Key
    own: Tensor
    value: Tensor
    got: Tensor | None = None


@contextmanager
def tapping(network: nn.Module, places: Mapping[Key, Place], taps: list[Tap]) -> Iterator[None]:
    """Within it, `taps` gets what is read and what is added: the tensor whose gradient is its."""
    handles: list[Any] = []
    watched = {
        (reader.path, place.made)
        for place in places.values()
        for reader in place.readers
        if place.block is None
    }
    for path, made in sorted(watched):
        module, key = network.get_submodule(path), ("group", path)
        if made:
            tap_output = partial(_tap_output, taps, key)
            handles.append(module.register_forward_hook(tap_output, with_kwargs=True))
        else:
            tap_input = partial(_tap_input, taps, key)
            handles.append(module.register_forward_pre_hook(tap_input, with_kwargs=True))
    for key, place in places.items():
        if place.block is not None:
            module = network.get_submodule(place.block.path)
            before = _Before(taps, key, place.block)
            handles.append(module.register_forward_pre_hook(before.begin, with_kwargs=True))
            handles.append(module.register_forward_hook(before.end))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _own(x: Tensor) -> Tensor:
    """A copy, of which gradients can be taken where any are."""
    if x.requires_grad or not torch.is_grad_enabled():
        return x.clone()
    return x.detach().clone().requires_grad_()


def _tap_input(
    taps: list[Tap],
    key: Key,
    _: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    x = first_tensor(args, kwargs)
    if x is None:
        return None
    own = _own(x)
    taps.append(Tap(key, own, own))
    return with_first_tensor(args, kwargs, own)


def _tap_output(
    taps: list[Tap],
    key: Key,
    _: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    output: Tensor,
) -> Tensor:
    own, x = _own(output), first_tensor(args, kwargs)
    taps.append(Tap(key, own, own, None if x is None else x.detach()))
    return own.clone()  # what is behind may overwrite it


class _Before:
    """Remembers what a block gets, and says what it adds to what would stand in its place."""

    def __init__(self, taps: list[Tap], key: Key, block: Block | Part) -> None:
        self._taps, self._key = taps, key
        self._skip = Skip(block.removal == "zeros")
        self._begun: list[Tensor] = []

    def begin(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = first_tensor(args, kwargs)
        assert x is not None
        self._begun.append(x.detach().clone())  # the block may overwrite its own

    def end(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        out, x = next(tensors_in(output)), self._begun.pop()
        own = _own(out)
        self._taps.append(Tap(self._key, own, own.detach() - self._skip(x), x))
        given = own.clone()  # what is behind may overwrite it
        if isinstance(output, Tensor):
            return given
        if isinstance(output, Mapping):
            first = next(name for name, value in output.items() if value is out)
            return type(output)(**{**output, first: given})
        at = next(n for n, value in enumerate(output) if value is out)
        parts = (*output[:at], given, *output[at + 1 :])
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
