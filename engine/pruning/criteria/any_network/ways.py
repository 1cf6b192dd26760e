"""Ways of running a network without units of a group, and the fastest that does what the plain one
does on this very network.

Shape legend: B items of a chunk, K classes, P (unit, item) pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.contracts.structure import UnitGroup
from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.prefix import Prefix, Replay, Wants
from engine.pruning.criteria.any_network.trace import Cut, Place, Trace
from engine.pruning.criteria.any_network.units import (
    Masks,
    Reader,
    Share,
    columns_of,
    readers_of,
    share_of,
    tensor_of,
)
from engine.pruning.criteria.any_network.values import FORWARD_ERRORS, tolerance_of
from engine.tasks import Batch
from engine.tasks.batch import run_on

NUM_TRIED = 8  # units of a group

RunPairs = Callable[[Tensor, Tensor], Tensor]  # units, items (P) -> logits (P, …, K)


class Way(Protocol):
    """How a network is run without one unit of a group for each item of a batch."""

    @property
    def wants(self) -> Wants: ...

    @property
    def cut(self) -> Cut | None: ...

    @property
    def readers(self) -> tuple[Reader, ...]: ...

    def on(self, network: nn.Module, prefix: Prefix) -> AbstractContextManager[RunPairs]:
        """Runs on a network that nobody else uses meanwhile."""


class Packed:
    """Many units at once: each row of a batch is masked for its own, where the group is read.

    With a `share`, the first reader is not run: from what it gave the unit's part is subtracted.
    """

    def __init__(
        self, trace: Trace, readers: tuple[Reader, ...], place: Place, share: Share | None
    ) -> None:
        self.readers, self.share = readers, share
        self.cut = trace.cut(place, given=share is not None)
        places = (place,) if share is not None else ()
        self.wants = Wants((self.cut,), places, places, readers)

    @contextmanager
    def on(self, network: nn.Module, prefix: Prefix) -> Iterator[RunPairs]:
        with ExitStack() as stack:
            masks = [
                Masks(r) for r in self.readers if self.share is None or r is not self.share.reader
            ]
            for mask in masks:
                module = network.get_submodule(mask.reader.path)
                handle = module.register_forward_pre_hook(mask, with_kwargs=True)
                stack.callback(handle.remove)
            replay = stack.enter_context(Replay(network, prefix, self.cut))
            subtracted = self._subtracted(network, prefix)

            def run(units_P: Tensor, items_P: Tensor) -> Tensor:
                for mask in masks:
                    mask.units_P = units_P
                return replay(items_P, subtracted(units_P, items_P))

            yield run

    def _subtracted(
        self, network: nn.Module, prefix: Prefix
    ) -> Callable[[Tensor, Tensor], Tensor | None]:
        if self.share is None:
            return lambda units_P, items_P: None
        share, place = self.share, self.cut.place
        module = network.get_submodule(place[0])
        weight_CXO = share.weight(module)
        out, x, num_items = prefix.outputs[place], prefix.inputs_at[place], len(prefix)

        def without(units_P: Tensor, items_P: Tensor) -> Tensor:
            return share.without(module, weight_CXO, out, x, units_P, items_P, num_items)

        return without


class OneByOne:
    """One unit at a time for the whole batch: masked at all inputs, or as columns of weights that
    are zero. Without a `place` the whole network runs."""

    def __init__(
        self,
        group: UnitGroup,
        readers: tuple[Reader, ...] | None,
        trace: Trace | None,
        place: Place | None,
    ) -> None:
        self.group, self.readers = group, readers or ()
        self.cut = trace.cut(place) if trace is not None and place is not None else None
        cuts = (self.cut,) if self.cut is not None else ()
        self.wants = Wants(cuts, readers=self.readers)

    @contextmanager
    def on(self, network: nn.Module, prefix: Prefix) -> Iterator[RunPairs]:
        with ExitStack() as stack:
            if self.cut is not None:
                from_cut = stack.enter_context(Replay(network, prefix, self.cut))
            silenced = self._masked if self.readers else self._without_columns

            def run_images(items_P: Tensor) -> Tensor:
                if self.cut is not None:
                    return from_cut(items_P)
                return output_of(run_on(network, prefix.inputs_of(items_P))).double()

            def run(units_P: Tensor, items_P: Tensor) -> Tensor:
                logits: list[Tensor] = [torch.empty(0)] * len(units_P)
                for unit in units_P.unique().tolist():
                    rows = (units_P == unit).nonzero()[:, 0]
                    with silenced(network, unit):
                        found = run_images(items_P[rows])
                    for row, values_K in zip(rows.tolist(), found, strict=True):
                        logits[row] = values_K
                return torch.stack(logits)

            yield run

    @contextmanager
    def _masked(self, network: nn.Module, unit: int) -> Iterator[None]:
        with ExitStack() as stack:
            for reader in self.readers:
                mask = Masks(reader)
                mask.units_P = torch.tensor([unit], device=reader.ids_UI.device)
                module = network.get_submodule(reader.path)
                handle = module.register_forward_pre_hook(mask, with_kwargs=True)
                stack.callback(handle.remove)
            yield

    @contextmanager
    def _without_columns(self, network: nn.Module, unit: int) -> Iterator[None]:
        own: list[tuple[nn.Module, str, Tensor]] = []
        try:
            for tensor, axis in {(c.tensor, c.axis) for c in self.group.consumers}:
                path, _, leaf = tensor.rpartition(".")
                weight = tensor_of(network, tensor)
                ids_I = columns_of(self.group, tensor, axis)[unit].to(weight.device)
                module = network.get_submodule(path)
                own.append((module, leaf, weight))
                emptied = weight.detach().index_fill(axis, ids_I, 0)
                _put(module, leaf, emptied)
            yield
        finally:
            for module, leaf, weight in reversed(own):
                _put(module, leaf, weight)


def _put(module: nn.Module, leaf: str, tensor: Tensor) -> None:
    """Puts a tensor in another one's place: that one is shared, and stays as it is."""
    if leaf in module._parameters and not isinstance(tensor, nn.Parameter):
        tensor = nn.Parameter(tensor, requires_grad=False)
    setattr(module, leaf, tensor)


def way_of(group: UnitGroup, network: nn.Module, trace: Trace | None, few: Batch) -> Way:
    """The fastest way for a group that gives what the plain one gives on these items."""
    if trace is None:
        return OneByOne(group, None, None, None)
    readers = readers_of(group, network, trace)
    place = trace.first_call([consumer.module for consumer in group.consumers])
    plain = OneByOne(group, readers, trace, None)
    ways: list[Way] = []
    if readers is not None and place is not None:
        first = next(reader for reader in readers if reader.path == place[0])
        share = share_of(first, network, place, trace)
        ways += [Packed(trace, readers, place, s) for s in ([share, None] if share else [None])]
    if place is not None:
        ways.append(OneByOne(group, readers, trace, place))
    tried = Tried(plain, network, trace, few)
    return next((way for way in ways if tried.agrees(way)), plain)


class Tried:
    """A few (unit, item) pairs in mixed order, and what the plain way gives for them."""

    def __init__(self, plain: OneByOne, network: nn.Module, trace: Trace, few: Batch) -> None:
        self._network, self._trace, self._few = network, trace, few
        prefix = Prefix(trace, network, few, plain.wants)
        with plain.on(network, prefix) as run:
            most_2 = _most_effective(plain, prefix, run)
            self._units_P = most_2[torch.tensor([0, -1, 0, -1, 0])]
            self._items_P = torch.tensor([2, 0, 0, 1, 1], device=most_2.device)
            self._expected_PK = run(self._units_P, self._items_P)
        self._tolerance = tolerance_of(self._expected_PK, prefix.logits[self._items_P])

    def agrees(self, way: Way) -> bool:
        if self._tolerance is None:
            return False
        try:
            prefix = Prefix(self._trace, self._network, self._few, way.wants)
            with way.on(self._network, prefix) as run:
                found_PK = run(self._units_P, self._items_P)
        except FORWARD_ERRORS:
            return False
        return bool((found_PK - self._expected_PK).abs().max() <= self._tolerance)


def _most_effective(plain: OneByOne, prefix: Prefix, run: RunPairs) -> Tensor:
    """Of the most active units the two that change most: what changes nothing shows no mistake."""
    activity_U = torch.zeros(plain.group.num_units, device=prefix.device)
    for reader in plain.readers:
        activity_U += prefix.activity[reader].sum(0)
    active = activity_U.argsort(descending=True, stable=True)[:NUM_TRIED]
    logits = prefix.logits
    changes = run(active, torch.zeros_like(active)) - logits[:1]
    return active[changes.abs().flatten(1).amax(1).argsort(descending=True, stable=True)[:2]]
