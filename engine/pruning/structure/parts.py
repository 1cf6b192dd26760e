"""The halves of a Transformer's layer: modules inside a block whose result is only ever added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from engine.contracts.structure import HowRemoved
from engine.pruning.structure.probing import Candidate, again, is_scale, zeros_of
from engine.pruning.structure.recording import NETWORK_ERRORS, Call, Recording, with_first

_WRITER: tuple[HowRemoved, ...] = ("zeros",)
_RESIDUAL: tuple[HowRemoved, ...] = ("skip", "delete", "hollow")


def find_parts(
    model: nn.Module, blocks: Iterable[str], recording: Recording, sorts: Mapping[str, str]
) -> dict[str, list[Candidate]]:
    """What of each block can be passed over alone; nothing where that would be all of it.

    `sorts` says how modules add to their own input, where they do (`residual`). Blocks of one
    class that hold the same modules have the same halves: only the first is looked into.
    """
    known: dict[tuple[object, ...], dict[str, str]] = {}
    found = {}
    for path in blocks:
        block = model.get_submodule(path)
        alike = (type(block), *((name, type(inner)) for name, inner in block.named_modules()))
        if alike not in known:
            known[alike] = _writers(block, path, recording, sorts)
        names = known[alike]
        once = all(recording.only_call(f"{path}.{name}") for name in names)
        found[path] = [_candidate(path, *each, recording) for each in names.items() if once]
    return found


def _candidate(block: str, name: str, how: str, recording: Recording) -> Candidate:
    ways = _WRITER if how == "writer" else _RESIDUAL
    path = f"{block}.{name}"
    return Candidate(path, recording.calls[path][0], ways, how)


def _writers(
    block: nn.Module, path: str, recording: Recording, sorts: Mapping[str, str]
) -> dict[str, str]:
    """How the modules inside a block add to its stream, by their names in it."""
    call = recording.calls[path][0]
    found: dict[str, str] = {}
    for name, inner in block.named_modules():
        if not name or any(name.startswith(f"{writer}.") for writer in found):
            continue
        full = f"{path}.{name}"
        own = recording.only_call(full)
        if own is None or all(parameter.dim() < 2 for parameter in inner.parameters()):
            continue
        if full in sorts:
            found[name] = sorts[full]
        elif _is_like(own, call) and _only_adds(block, call, inner):
            found[name] = "writer"
    return found if len(found) > 1 else {}


def _is_like(inner: Call, block: Call) -> bool:
    """Whether zeros of the shape that it gets can stand for what it gives to the block's stream."""
    x, y, stream = inner.x, inner.y, block.x
    return (
        x is not None
        and y is not None
        and stream is not None
        and x.shape == y.shape == stream.shape
    )


def _only_adds(block: nn.Module, call: Call, inner: nn.Module) -> bool:
    """Whether the block moves by r, times a scale, when `inner` gives r and all else is silent."""
    x = call.x
    assert x is not None
    generator = torch.Generator().manual_seed(0)
    r = torch.rand(x.shape, generator=generator).to(x) + 0.5
    silent = zeros_of(block, keep=is_scale)

    def block_with(given: Tensor) -> Tensor | None:
        handle = inner.register_forward_hook(lambda module, args, y: with_first(y, given.clone()))
        try:
            return again(block, call, silent)
        finally:
            handle.remove()

    try:
        zero = block_with(torch.zeros_like(r))
        if zero is None or zero.shape != x.shape or not torch.allclose(zero, x, atol=1e-5):
            return False
        one, two = block_with(r), block_with(2 * r + 1)
    except NETWORK_ERRORS:
        return False
    assert one is not None and two is not None
    scale = (one - zero) / r
    linear = torch.allclose(two - zero, scale * (2 * r + 1), rtol=1e-3, atol=1e-4)
    return linear and bool((scale.abs() > 1e-8).any())
