"""What units give to their readers, and what blocks add, item by item, with gradients where they
are asked for: what most criteria look at.

Shape legend: N items, B items of a chunk, L places (pixels, tokens), C channels, U units, O numbers
of a weight that read a channel, K classes. "…" is what an item's rows are along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import Block, NetworkStructure, Part, UnitGroup
from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.exact import Exact, blocks_to_score, groups_to_score
from engine.pruning.criteria.any_network.gradients import chunk_size
from engine.pruning.criteria.any_network.refusals import refused
from engine.pruning.criteria.any_network.trace import Trace
from engine.pruning.criteria.any_network.units import Reader, readers_of, tensor_of
from engine.pruning.criteria.any_network.values import (
    first_tensor,
    tensors_in,
    with_first_tensor,
)
from engine.pruning.scores import Scores
from engine.pruning.surgery.stand_ins import Skip
from engine.runtime.attention import attention_in_the_open
from engine.runtime.device import ranking
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel
from engine.tasks import Batch, Task
from engine.tasks.batch import num_rows_of, run_on

Key = tuple[str, str]  # group or block, and its path
Tap = tuple[Key, Tensor, Tensor]  # where, the tensor of which gradients are taken, what is given
Objective = Callable[[Tensor, Tensor], Tensor]  # logits (B, …, K), targets (B, …) -> (B)
Within = Callable[[nn.Module], AbstractContextManager[object]]


@dataclass(frozen=True, eq=False)
class Place:
    """Where the units of a group are read, or what a block adds, as the one unit of its own.

    `columns_CO` are the weights that read each reader's channels, for a block ones.
    """

    readers: tuple[Reader, ...]
    columns_CO: tuple[Tensor, ...]
    block: Block | Part | None = None

    def per_unit(self, of_readers: Sequence[Tensor]) -> Tensor:
        """Values (…, C) of each reader's channels, added up by unit (…, U)."""
        parts = zip(self.readers, of_readers, strict=True)
        each = [v[..., r.ids_UI.to(v.device)].sum(-1) for r, v in parts]
        return torch.stack(each).sum(0)

    @property
    def num_weights(self) -> int:
        """How many numbers read a unit."""
        pairs = zip(self.readers, self.columns_CO, strict=True)
        return sum(r.ids_UI.shape[1] * columns.shape[1] for r, columns in pairs)


@dataclass(frozen=True, eq=False)
class Signal:
    """What one reader of a place got of some items in all of its calls, and the gradients there."""

    reader: Reader
    values: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]
    num_items: int

    @property
    def rows_BLC(self) -> Tensor:
        if not self.values:  # a module that these items did not reach
            return self.reader.ids_UI.new_zeros(self.num_items, 1, self.reader.num_channels).float()
        return torch.cat([self.reader.rows(value, self.num_items) for value in self.values], 1)

    @property
    def squares_C(self) -> Tensor:
        """Of each channel, the squares of all numbers added up."""
        return self.rows_BLC.double().square().sum((0, 1))

    @property
    def count(self) -> Tensor:
        """How many numbers each channel has."""
        return torch.tensor(float(self.rows_BLC[..., 0].numel()))

    @property
    def changes_BC(self) -> Tensor:
        """By how much silencing each channel changes the objective, to first order, times -1."""
        if not self.values:
            return self.rows_BLC[:, 0]
        products = [v * g for v, g in zip(self.values, self.gradients, strict=True)]
        each = [self.reader.rows(product, self.num_items).sum(1) for product in products]
        return torch.stack(each).sum(0)


# Of some items, numbers of each reader of a place that are added to those of other items.
Statistic = Callable[[Place, Sequence[Signal]], Sequence[Tensor]]
# The scores of a place's units from the sums over all items and how many rows these have (U).
Finish = Callable[[Place, Sequence[Tensor], int], Tensor]


# Raises CriterionError where a criterion does not apply to a network, by a few items.
Check = Callable[[nn.Module, Batch, Mapping[Key, Place]], None]


@dataclass(frozen=True)
class Look:
    """A criterion as what it takes of some items, and what it makes of the sums over all."""

    name: str
    statistic: Statistic
    finish: Finish
    objective: Objective | None = None  # of whose gradients it takes any
    within: Within = nullcontext  # what is changed of a network that runs
    check: Check | None = None  # whether it applies

    @ranking()
    def __call__(
        self,
        model: nn.Module,
        structure: NetworkStructure,
        task: Task,
        items_N: Tensor,
        execution: Execution,
        monitor: Monitor = SILENT,
        *,
        crossing: bool = False,
    ) -> Scores:
        """The scores of all blocks that may go and all units. Raises CriterionError, Cancelled."""
        with attention_in_the_open():
            exact = Exact(model, (), structure, (), task, items_N, execution)
            groups, blocks = groups_to_score(structure, crossing), blocks_to_score(structure)
            with exact.copies.lent() as network:
                places = _places(self.name, network, exact.trace, groups, blocks)
                if self.check is not None:
                    self.check(network, exact.few, places)
            sums, num_rows = self._sums(exact, places, execution, monitor)
        finish = {key: self.finish(place, sums[key], num_rows) for key, place in places.items()}
        return Scores(
            {block.path: float(finish["block", block.path]) for block in blocks},
            {group.path: tuple(finish["group", group.path].tolist()) for group in groups},
        )

    def _sums(
        self, exact: Exact, places: Mapping[Key, Place], execution: Execution, monitor: Monitor
    ) -> tuple[dict[Key, list[Tensor]], int]:
        sums: dict[Key, list[Tensor]] = {}
        num_items, num_rows, done = len(exact.items_N), 0, 0

        def task(ids_B: Tensor) -> tuple[int, int, dict[Key, list[Tensor]]]:
            monitor.check()
            batch = exact.batch(ids_B)
            with exact.copies.lent() as network, self.within(network):
                signals = look(network, batch, places, self.objective)
            found = {
                key: [each.double().cpu() for each in self.statistic(place, signals[key])]
                for key, place in places.items()
            }
            return len(ids_B), num_rows_of(batch.targets), found

        def take(found: tuple[int, int, dict[Key, list[Tensor]]]) -> None:
            nonlocal done, num_rows
            done, num_rows = done + found[0], num_rows + found[1]
            for key, parts in found[2].items():
                before = sums.get(key)
                sums[key] = (
                    parts if before is None else [a + b for a, b in zip(before, parts, strict=True)]
                )
            monitor.step("scoring", done, num_items)

        chunks = torch.arange(num_items).split(chunk_size(exact))
        in_parallel([partial(task, ids_B) for ids_B in chunks], execution, take)
        return sums, num_rows


def look(
    network: nn.Module,
    batch: Batch,
    places: Mapping[Key, Place],
    objective: Objective | None,
) -> dict[Key, tuple[Signal, ...]]:
    """What the places give of a batch's items, by a forward pass and, for gradients, a backward."""
    taps: list[Tap] = []
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(objective is not None))
        stack.enter_context(tapping(network, places, taps))
        logits = output_of(run_on(network, batch.inputs))
        tensors = [own for _, own, _ in taps]
        gradients: Sequence[Tensor | None] = [None] * len(taps)
        if objective is not None and tensors:
            of_B = objective(logits, batch.targets)
            gradients = torch.autograd.grad(of_B.sum(), tensors, allow_unused=True)
    by_key: dict[Key, list[tuple[Tensor, Tensor]]] = {}
    for (key, _, value), gradient in zip(taps, gradients, strict=True):
        known = torch.zeros_like(value) if gradient is None else gradient
        by_key.setdefault(key, []).append((value.detach(), known))
    return {key: tuple(_signals(key, place, by_key, len(batch))) for key, place in places.items()}


def _signals(
    key: Key, place: Place, by_key: Mapping[Key, list[tuple[Tensor, Tensor]]], num_items: int
) -> Iterator[Signal]:
    for reader in place.readers:
        found = by_key.get(key if place.block is not None else ("group", reader.path), [])
        values, gradients = (tuple(each[n] for each in found) for n in range(2))
        yield Signal(reader, values, gradients, num_items)


@contextmanager
def tapping(network: nn.Module, places: Mapping[Key, Place], taps: list[Tap]) -> Iterator[None]:
    """Within it, `taps` gets what is read and what is added: the tensor whose gradient is its."""
    paths = {r.path for place in places.values() if place.block is None for r in place.readers}
    handles: list[Any] = []
    for path in sorted(paths):
        module = network.get_submodule(path)
        tap = partial(_tap_input, taps, ("group", path))
        handles.append(module.register_forward_pre_hook(tap, with_kwargs=True))
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
    taps.append((key, own, own))
    return with_first_tensor(args, kwargs, own)


class _Before:
    """Remembers what a block gets, and says what it adds to what would stand in its place."""

    def __init__(self, taps: list[Tap], key: Key, block: Block | Part) -> None:
        self._taps, self._key = taps, key
        self._skip = Skip(block.removal == "zeros")
        self._begun: list[Tensor] = []

    def begin(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = first_tensor(args, kwargs)
        assert x is not None
        self._begun.append(self._skip(x.detach().clone()))  # the block may overwrite its own

    def end(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        out, instead = next(tensors_in(output)), self._begun.pop()
        own = _own(out)
        self._taps.append((self._key, own, own.detach() - instead))
        given = own.clone()  # what is behind may overwrite it
        if isinstance(output, Tensor):
            return given
        if isinstance(output, Mapping):
            first = next(name for name, value in output.items() if value is out)
            return type(output)(**{**output, first: given})
        at = next(n for n, value in enumerate(output) if value is out)
        parts = (*output[:at], given, *output[at + 1 :])
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)


def _places(
    name: str,
    network: nn.Module,
    trace: Trace | None,
    groups: Sequence[UnitGroup],
    blocks: Sequence[Block | Part],
) -> dict[Key, Place]:
    if trace is None:
        raise refused(name, "looks at what modules get, and this network hides its calls")
    places: dict[Key, Place] = {}
    for group in groups:
        readers = readers_of(group, network, trace)
        if readers is None:
            raise refused(name, f"looks at what units give, and the group {group.path} is read "
                          "elsewhere than at the input of a module")  # fmt: skip
        columns = [
            tensor_of(network, consumer.tensor).detach().movedim(consumer.axis, 0).flatten(1)
            for consumer in group.consumers
        ]
        places["group", group.path] = Place(readers, tuple(columns))
    for block in blocks:
        reader = _block_reader(block, trace)
        if reader is None:
            raise refused(name, f"looks at what blocks add, and of {block.path} nobody can tell")
        places["block", block.path] = Place((reader,), (torch.ones(reader.num_channels, 1),), block)
    return places


def _block_reader(block: Block | Part, trace: Trace) -> Reader | None:
    """What a block gives as the one unit of a reader."""
    call = trace.by_place.get((block.path, 0))
    if call is None or not call.shapes:
        return None
    item_axis, shape = trace.output_axes[call.place][0], call.shapes[0]
    channel_axis = 1 if len(shape) > 3 else len(shape) - 1
    if item_axis is None or item_axis == channel_axis or shape != call.input_shape:
        return None
    num_channels = shape[channel_axis]
    ids_1C = torch.arange(num_channels)[None]
    return Reader(block.path, ids_1C, num_channels, channel_axis, item_axis)
