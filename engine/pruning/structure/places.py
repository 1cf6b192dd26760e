"""Where a group is checked: in its block alone, on what the block has had, or in the network."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_map

from engine.contracts.edits import UNIT, Edit
from engine.contracts.structure import Consumer, NetworkStructure, UnitGroup
from engine.pruning.explicit import explicit
from engine.pruning.structure.kept import Kept
from engine.pruning.structure.masks import Chosen, Silenced
from engine.pruning.structure.recording import (
    NETWORK_ERRORS,
    Call,
    Example,
    copied,
    first_tensor,
)
from engine.pruning.surgery import carry_out
from engine.pruning.surgery.bounds import tensors_of
from engine.pruning.surgery.tensors import forget_kept_tensors
from engine.tasks.batch import as_arguments


@dataclass(frozen=True, eq=False)
class Place:
    """A module with what it is run on; names in groups are those within it. `path` is its own in
    the network, `called` the modules inside that ran, `take` what of its result is looked at."""

    path: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    take: Callable[[Any], Tensor]
    called: Collection[str]
    smallest_effect: float = 1e-6  # of the result's scale; less is rounding

    def run(self, module: Callable[..., Any]) -> Tensor:
        return self.take(module(*copied(self.args), **copied(dict(self.kwargs))))

    @cached_property
    def whole(self) -> Tensor:
        """What it gives as it is."""
        return self.run(self.module)

    def masked(self, silenced: Silenced) -> Tensor:
        """What it gives when nothing reads these units."""
        columns: dict[str, Tensor] = {}
        with ExitStack() as stack:
            for consumer, indices in silenced:
                axis = self._input_axis(consumer)
                if axis is None:
                    tensor = columns.get(consumer.tensor)
                    if tensor is None:
                        tensor = tensors_of(self.module)[consumer.tensor].detach()
                    columns[consumer.tensor] = tensor.index_fill(
                        consumer.axis, indices.to(tensor.device), 0
                    )
                    continue
                reader = self.module.get_submodule(consumer.module)
                hook = reader.register_forward_pre_hook(_mask(axis, indices), with_kwargs=True)
                stack.callback(hook.remove)
            if not columns:
                return self.run(self.module)
            return self.run(lambda *a, **k: functional_call(self.module, columns, a, k))

    def _input_axis(self, consumer: Consumer) -> int | None:
        """The axis of its input that a consumer's indices are along; None where its columns are to
        be masked."""
        if not consumer.maskable or consumer.module not in self.called:
            return None
        module = self.module.get_submodule(consumer.module)
        if isinstance(module, nn.Linear):
            return -1 if consumer.axis == 1 else None
        if isinstance(module, nn.modules.conv._ConvNd) and module.groups == 1:
            is_input = consumer.axis == (0 if module.transposed else 1)
            return -1 - len(module.kernel_size) if is_input else None
        return None

    def pruned(self, chosen: Chosen, again: bool = False) -> Tensor:
        """What is given by a copy from which the units were removed; `again`: in its second call,
        where that may give something else. Raises EditError, and whatever its forward pass raises.
        """
        structure = NetworkStructure(groups=tuple(group for group, _ in chosen))
        edit = Edit(UNIT, units=tuple((group.path, units) for group, units in chosen))
        pruned = carry_out(explicit(edit, structure), self.module, share=True)
        kept = Kept(pruned) if again else None
        result = self.run(pruned)
        return self.run(pruned) if kept is not None and kept.may_differ() else result

    def livelier(self) -> Place:
        """A copy with other numbers, none of which hides a mistake: no scale or shift is 0, and in
        double precision, where the network runs so, rounding hides nothing."""
        copy_of_it = copy.deepcopy(self.module)
        generator = torch.Generator().manual_seed(0)
        for tensor in (*copy_of_it.parameters(), *copy_of_it.buffers()):
            if tensor.is_floating_point():
                _enliven(tensor, generator)
        for module in copy_of_it.modules():
            forget_kept_tensors(module)  # made of the numbers that were there
        place = replace(self, module=copy_of_it)
        double = replace(
            self,
            module=copy.deepcopy(copy_of_it).double(),
            args=_double(self.args),
            kwargs=_double(dict(self.kwargs)),
            smallest_effect=1e-13,
        )
        try:
            runs = double.whole.dtype == torch.float64
        except NETWORK_ERRORS:  # numbers of its own are in single precision
            runs = False
        return double if runs else place


def of_network(model: nn.Module, example: Example, called: Iterable[str]) -> Place:
    """The whole network on an example; `called` are the modules that ran."""
    args, kwargs = as_arguments(example.inputs)
    return Place("", model, args, kwargs, example.take, frozenset(called))


def of_block(path: str, block: nn.Module, call: Call, called: Iterable[str]) -> Place:
    """A block on what it got in a forward pass; `called` are paths in the network."""
    start = f"{path}."
    inside = frozenset(each[len(start) :] for each in called if each.startswith(start))
    return Place(path, block, call.args, call.kwargs, _first, inside)


def _first(result: Any) -> Tensor:
    tensor = first_tensor(result)
    assert tensor is not None  # a block's result is one, or begins with one
    return tensor


def _double(value: Any) -> Any:
    return tree_map(
        lambda v: v.double() if isinstance(v, Tensor) and v.is_floating_point() else v, value
    )


def within(group: UnitGroup, block: str) -> UnitGroup:
    """A group that lies inside a block, by the names that things have there."""
    if not block:
        return group

    def inside(name: str) -> str:
        return name[len(block) + 1 :]

    return replace(
        group,
        path=inside(group.path) or group.path,
        members=tuple(replace(each, tensor=inside(each.tensor)) for each in group.members),
        consumers=tuple(
            replace(each, tensor=inside(each.tensor), module=inside(each.module))
            for each in group.consumers
        ),
        attributes=tuple(replace(each, module=inside(each.module)) for each in group.attributes),
        sizes=tuple(replace(each, module=inside(each.module)) for each in group.sizes),
    )


def units_of(group: UnitGroup, *, most: bool = False, few: bool = False) -> tuple[int, ...]:
    """Some units of a group, the same each time: a third, all but one, or an eighth."""
    count = group.num_units - 1 if most else max(1, group.num_units // (8 if few else 3))
    chance = random.Random(f"{group.path} {most} {few}")
    return tuple(sorted(chance.sample(range(group.num_units), count)))


def _mask(axis: int, indices: Tensor) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        masked = False

        def first_masked(value: Any) -> Any:
            nonlocal masked
            if masked or not isinstance(value, Tensor):
                return value
            masked = True
            return value.index_fill(axis, indices.to(value.device), 0)

        args = tuple(first_masked(value) for value in args)
        return args, {name: first_masked(value) for name, value in kwargs.items()}

    return hook


def _enliven(tensor: Tensor, generator: torch.Generator) -> None:
    noise = torch.randn(tensor.shape, generator=generator).to(tensor)
    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    if tensor.squeeze().dim() <= 1:
        # A sixth off its value, so that variances and scales stay above 0.
        tensor.add_(noise.abs() * max(largest, 0.3) / 6 + (0.3 if largest < 1e-2 else 0.0))
    elif largest < 1e-3:
        tensor.copy_(noise * 0.02)
