"""What units give to their readers, and what blocks add, item by item, with gradients where they
are asked for: what most criteria look at.

Shape legend: N items, B items of a chunk, L places (pixels, tokens), C channels, U units, O numbers
of a weight that read a channel, K classes. "…" is what an item's rows are along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.exact import Exact
from engine.pruning.criteria.any_network.gradients import chunk_size
from engine.pruning.criteria.any_network.places import Key, Place, places_of
from engine.pruning.criteria.any_network.taps import Tap, tapping
from engine.pruning.criteria.any_network.units import Reader
from engine.pruning.scores import Scores
from engine.runtime.attention import attention_in_the_open
from engine.runtime.device import ranking
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel
from engine.tasks import Batch, Task
from engine.tasks.batch import num_rows_of, run_on

Objective = Callable[[Tensor, Tensor], Tensor]  # logits (B, …, K), targets (B, …) -> (B)
Within = Callable[[nn.Module], AbstractContextManager[object]]


@dataclass(frozen=True, eq=False)
class Signal:
    """What one reader of a place got of some items in all of its calls, and the gradients there.
    `got` is the input of the module or block of which the values are the output."""

    reader: Reader
    values: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]
    got: tuple[Tensor, ...]
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
    made: bool = False  # whether it looks at units where they are made

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
            how = {"crossing": crossing, "made": self.made}
            with exact.copies.lent() as network:
                places = places_of(self.name, network, exact.trace, structure, **how)
                if self.check is not None:
                    self.check(network, exact.few, places)
            sums, num_rows = self._sums(exact, places, execution, monitor)
        blocks: dict[str, float] = {}
        units: dict[str, tuple[float, ...]] = {}
        for key, place in places.items():
            scores_U = self.finish(place, sums[key], num_rows)
            if place.block is not None:
                blocks[key[1]] = float(scores_U)
            else:
                units[key[1]] = tuple(scores_U.tolist())
        return Scores(blocks, units)

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
        tensors = [tap.own for tap in taps]
        gradients: Sequence[Tensor | None] = [None] * len(taps)
        if objective is not None and tensors:
            of_B = objective(logits, batch.targets)
            gradients = torch.autograd.grad(of_B.sum(), tensors, allow_unused=True)
    by_key: dict[Key, list[tuple[Tap, Tensor]]] = {}
    for tap, gradient in zip(taps, gradients, strict=True):
        known = torch.zeros_like(tap.value) if gradient is None else gradient
        by_key.setdefault(tap.key, []).append((tap, known))
    return {key: tuple(_signals(key, place, by_key, len(batch))) for key, place in places.items()}


def _signals(
    key: Key, place: Place, by_key: Mapping[Key, list[tuple[Tap, Tensor]]], num_items: int
) -> Iterator[Signal]:
    for reader in place.readers:
        found = by_key.get(key if place.block is not None else ("group", reader.path), [])
        yield Signal(
            reader,
            tuple(tap.value.detach() for tap, _ in found),
            tuple(gradient for _, gradient in found),
            tuple(tap.got for tap, _ in found if tap.got is not None),
            num_items,
        )
