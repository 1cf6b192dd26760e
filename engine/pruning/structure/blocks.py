"""Blocks that can be passed over, found by running each module again without its numbers.

A block runs once, gives a tensor of its input's shape, and gives that very input back when its
parameters are zero: it adds to a stream. Where an activation or a norm comes after the sum
(`residual+act`, `residual+norm`), it gives its input back after that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.structure import Block, HowRemoved, Part
from engine.pruning.structure.parts import find_parts
from engine.pruning.structure.probing import (
    Candidate,
    Removals,
    Step,
    again,
    neutral_norms,
    others_of,
    zeros_of,
)
from engine.pruning.structure.recording import NETWORK_ERRORS, Call, Recording

_WAYS: tuple[HowRemoved, ...] = ("skip", "delete", "hollow")
_ACTIVATIONS = (F.relu, F.silu, F.gelu)


@dataclass(frozen=True)
class FoundBlocks:
    """Blocks in the order of the forward pass, and what looked like one and has to stay, with
    the reason."""

    blocks: tuple[Block, ...]
    frozen: Mapping[str, str]


def may_be_block(module: nn.Module) -> bool:
    """Whether it holds two modules with parameters, or is somebody's own around a weight: none of
    torch's layers adds to what it gets."""
    owners = (
        inner for inner in module.modules() if any(True for _ in inner.parameters(recurse=False))
    )
    if next(owners, None) is None:
        return False
    if next(owners, None) is not None:
        return True
    is_torchs = type(module).__module__.startswith("torch.nn.")
    return not is_torchs and any(parameter.dim() > 1 for parameter in module.parameters())


def find_blocks(
    model: nn.Module, recording: Recording, removals: Removals, step: Step = lambda done, of: None
) -> FoundBlocks:
    """The removable blocks of a network; those of the same class beside them, which change the
    shape of what they get, stay (`shape`)."""
    sorts = _sorts(model, recording, lambda done, of: step(done, 2 * of))
    outermost = _outermost(model, sorts)
    often = [path for path in outermost if recording.only_call(path) is None]
    frozen = {path: _often(len(recording.calls[path])) for path in often}
    once = [
        Candidate(path, recording.calls[path][0], _WAYS, sorts[path])
        for path in outermost
        if path not in frozen
    ]
    parts = find_parts(model, [each.path for each in once], recording, sorts)
    candidates = [*once, *(part for of_block in parts.values() for part in of_block)]
    ways = removals.tried(candidates, lambda done, of: step(of + done, 2 * of))
    blocks = []
    for each in once:
        if ways[each.path] not in _WAYS:
            frozen[each.path] = ways[each.path]
            continue
        blocks.append(_block(each, ways, parts[each.path], model))
    blocks += _shape_changing(model, recording, blocks)
    order = {path: calls[0].order for path, calls in recording.calls.items()}
    return FoundBlocks(tuple(sorted(blocks, key=lambda block: order[block.path])), frozen)


def _sorts(model: nn.Module, recording: Recording, step: Step) -> dict[str, str]:
    """How modules add to what they get, by path, of those that do."""
    paths = [path for path in recording.calls if may_be_block(model.get_submodule(path))]
    found: dict[str, str] = {}
    known: dict[object, str | None] = {}
    for number, path in enumerate(paths, 1):  # inner ones first, as their calls end
        step(number, len(paths))
        if any(f"{crowded}.".startswith(f"{path}.") for crowded in _crowded(found)):
            continue  # whatever it does, it is a stage
        module, call = model.get_submodule(path), recording.calls[path][0]
        like = _likeness(module, call)
        if like not in known:
            known[like] = how_it_adds(module, call)
        if how := known[like]:
            found[path] = how
    return found


def _likeness(module: nn.Module, call: Call) -> object:
    """Equal for modules that do the same with other numbers: their classes, what is set on them,
    and the shapes of their parameters and of what they get."""
    inner = tuple(
        (
            name,
            type(each),
            tuple((key, set_to) for key, value in vars(each).items() if (set_to := _plain(value))),
            tuple((key, p.shape) for key, p in each.named_parameters(recurse=False)),
        )
        for name, each in module.named_modules()
    )
    return inner, getattr(call.x, "shape", None), getattr(call.y, "shape", None)


def _plain(value: object) -> object:
    """What is to be equal of an attribute: words and whole numbers, and of others whether they are
    there, for how much of a path is dropped differs from block to block."""
    if isinstance(value, str | int):
        return type(value), value
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        return len(value)
    return type(value), bool(value) if isinstance(value, float) else callable(value) and id(value)


def _often(count: int) -> str:
    return f"it runs {count} times in one forward pass"


def how_it_adds(module: nn.Module, call: Call) -> str | None:
    """How a module adds to what it gets; None where it does something else."""
    x, y = call.x, call.y
    if x is None or y is None or x.shape != y.shape or x.dtype != y.dtype:
        return None
    if not x.is_floating_point() or not x.any():
        return None
    try:
        if torch.equal(x, y) and _passes_on(module, call):
            return None
        silent = zeros_of(module)
        if (how := _same(again(module, call, silent), x)) is not None:
            return how
        plain_norms = neutral_norms(module)
        if not plain_norms:
            return None
        silent_y = again(module, call, {**silent, **plain_norms})
    except NETWORK_ERRORS:  # it does not even run on what it has had
        return None
    if silent_y is None or silent_y.shape != x.shape:
        return None
    if torch.equal(silent_y, x):
        return "residual"
    normed = F.layer_norm(x, x.shape[-1:])
    return "residual+norm" if torch.allclose(silent_y, normed, atol=1e-2) else None


def _passes_on(module: nn.Module, call: Call) -> bool:
    """Whether a module gives what it gets whatever its numbers: no block, as one is that begins
    with a scale of 0, or was pruned to nothing."""
    y = again(module, call, others_of(module))
    return y is None or torch.equal(y, cast(Tensor, call.x))


def _same(silent_y: Tensor | None, x: Tensor) -> str | None:
    if silent_y is None or silent_y.shape != x.shape:
        return None
    if torch.equal(silent_y, x):
        return "residual"
    if _is_close(silent_y, (silent_y * x).sum() / (x * x).sum() * x):
        return None  # a gate that stands open: near 0, activations look like one
    return "residual+act" if any(_is_close(silent_y, act(x)) for act in _ACTIVATIONS) else None


def _is_close(y: Tensor, expected: Tensor) -> bool:
    size = float(expected.abs().max())
    return size > 0 and torch.allclose(y, expected, rtol=0, atol=1e-6 * size)


def _outermost(model: nn.Module, sorts: Iterable[str]) -> list[str]:
    """Without the stages, in which several blocks stand side by side, or one and nothing else, and
    without what is inside blocks."""
    found = list(sorts)
    # A stage holds its blocks itself or in a list; a Transformer's layer holds its two halves.
    stages = {p for p in found if any(f"{c}.".startswith(f"{p}.") for c in _crowded(found))}
    sizes = {path: sum(1 for _ in model.get_submodule(path).parameters()) for path in found}
    stages |= {p for p in found for q in found if q.startswith(f"{p}.") and sizes[p] == sizes[q]}
    blocks = [path for path in found if path not in stages]
    return [p for p in blocks if not any(p.startswith(f"{other}.") for other in blocks)]


def _crowded(found: Iterable[str]) -> set[str]:
    """In what several stand side by side."""
    parents = Counter(path.rpartition(".")[0] for path in found)
    return {parent for parent, count in parents.items() if count >= 2}


def _block(
    found: Candidate,
    ways: Mapping[str, HowRemoved | str],
    parts: Iterable[Candidate],
    model: nn.Module,
) -> Block:
    removable = tuple(
        Part(
            path=part.path,
            kind=type(model.get_submodule(part.path)).__name__,
            how=part.how,
            removal=cast(HowRemoved, ways[part.path]),
            num_results=part.call.num_results,
        )
        for part in parts
        if ways[part.path] in part.ways
    )
    return Block(
        path=found.path,
        stage=found.path.rpartition(".")[0],
        kind=type(model.get_submodule(found.path)).__name__,
        how=found.how,
        removal=cast(HowRemoved, ways[found.path]),
        num_results=found.call.num_results,
        parts=removable if len(removable) > 1 else (),
    )


def _shape_changing(
    model: nn.Module, recording: Recording, removable: Iterable[Block]
) -> list[Block]:
    """The blocks that stand beside removable ones, are of their class, and change the shape."""
    known = {block.path for block in removable}
    kinds = {(block.stage, block.kind) for block in removable}
    found = []
    for path in recording.calls:
        stage, kind = path.rpartition(".")[0], type(model.get_submodule(path)).__name__
        if (stage, kind) in kinds and path not in known and recording.only_call(path):
            found.append(Block(path=path, stage=stage, kind=kind, removal="skip", stays="shape"))
    return found
