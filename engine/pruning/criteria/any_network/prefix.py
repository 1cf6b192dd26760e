"""A chunk of items with what is needed again of their forward pass, and runs of what is behind.

Shape legend: B items of a chunk, C channels, H height, W width, U units, K classes, P (structure,
item) pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.trace import Cut, Place, Trace
from engine.pruning.criteria.any_network.units import Reader
from engine.pruning.criteria.any_network.values import first_tensor
from engine.pruning.criteria.any_network.values import mapped as mapped_value
from engine.tasks import Batch, Inputs
from engine.tasks.batch import mapped, run_on, taken


@dataclass(frozen=True, eq=False)
class Wants:
    """What a prefix keeps: results of the calls of some cuts, inputs and outputs of some calls, and
    how active the units of some readers are."""

    cuts: tuple[Cut, ...] = ()
    inputs: tuple[Place, ...] = ()
    outputs: tuple[Place, ...] = ()
    readers: tuple[Reader, ...] = ()

    @staticmethod
    def all_of(wants: Iterable[Wants]) -> Wants:
        many = list(wants)
        return Wants(
            tuple(cut for each in many for cut in each.cuts),
            tuple(place for each in many for place in each.inputs),
            tuple(place for each in many for place in each.outputs),
            tuple(reader for each in many for reader in each.readers),
        )

    def bytes_an_item(self, trace: Trace) -> int:
        results = {place for cut in self.cuts for place in cut.needed} | set(self.outputs)
        kept = sum(trace.bytes_of(place) for place in results)
        return kept + sum(trace.input_bytes(place) for place in set(self.inputs))


@dataclass(frozen=True, eq=False)
class _Rows:
    """A tensor whose axis `axis` has `per_item` indices for each item of the chunk."""

    value: Tensor
    axis: int | None  # None: it is the same whatever the items
    per_item: int = 1

    def of(self, items_P: Tensor) -> Tensor:
        if self.axis is None:
            return self.value.clone()
        if self.per_item == 1:
            return self.value.index_select(self.axis, items_P)
        split = self.value.unflatten(self.axis, (-1, self.per_item))
        rows: Tensor = split.index_select(self.axis, items_P).flatten(self.axis, self.axis + 1)
        return rows


@dataclass(frozen=True, eq=False)
class _Shape:
    """A tensor of which nothing but the shape is ever looked at again."""

    value: Tensor  # for one item
    axis: int

    def of(self, items_P: Tensor) -> Tensor:
        size = self.value.shape[self.axis]
        if size == 1:
            shape = list(self.value.shape)
            shape[self.axis] = len(items_P)
            return self.value.expand(shape)
        return self.value.repeat_interleave(len(items_P), self.axis)


class Prefix:
    """Some items with their logits, and what their forward pass gave where it is needed again."""

    def __init__(self, trace: Trace | None, network: nn.Module, batch: Batch, wants: Wants) -> None:
        self._batch = batch
        self.targets = batch.targets
        self.results: dict[Place, Any] = {}
        self.inputs_at: dict[Place, Tensor] = {}
        self.outputs: dict[Place, Tensor] = {}
        self.activity: dict[Reader, Tensor] = {}  # (B, U): of what is silenced, the absolute sum
        self._trace, self._wants = trace, wants
        self._over = {place for cut in wants.cuts for place in cut.over}
        self._needed = {place for cut in wants.cuts for place in cut.needed}
        with self._watching(network):
            self.logits = output_of(run_on(network, batch.inputs)).double()

    def __len__(self) -> int:
        return len(self._batch)

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def inputs_of(self, items_P: Tensor) -> Inputs:
        """What the network got for some of the items."""
        return taken(self._batch.inputs, items_P)

    def shapes_of(self, num_items: int) -> Inputs:
        """Inputs for so many items, of which nothing but the shape counts."""
        return mapped(self._batch.inputs, lambda x: x[:1].expand(num_items, *x.shape[1:]))

    @property
    def inputs(self) -> Inputs:
        return self._batch.inputs

    @contextmanager
    def _watching(self, network: nn.Module) -> Iterator[None]:
        handles = []
        begun: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        wants = self._wants
        readers: dict[str, list[Reader]] = {}
        for reader in wants.readers:
            readers.setdefault(reader.path, []).append(reader)
        places = self._over | {*wants.inputs, *wants.outputs}
        for path in {path for path, _ in places} | set(readers):

            def before(
                _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: str = path
            ) -> None:
                x = first_tensor(args, kwargs)
                if x is not None:
                    self._note_input((path, begun[path]), x, readers.get(path, ()))
                begun[path] += 1

            def after(_: nn.Module, args: tuple[Any, ...], out: Any, path: str = path) -> None:
                place = path, ended[path]
                ended[path] += 1
                if place in self._over:
                    self.results[place] = self._kept(place, out)
                if place in wants.outputs and isinstance(out, Tensor):
                    self.outputs[place] = out.clone()

            module = network.get_submodule(path)
            handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            handles.append(module.register_forward_hook(after))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _note_input(self, place: Place, x: Tensor, readers: Iterable[Reader]) -> None:
        if place in self._wants.inputs:
            self.inputs_at[place] = x.clone()
        for reader in readers:
            activity_BU = reader.of_units(x.abs(), len(self))
            before_BU = self.activity.get(reader)
            self.activity[reader] = activity_BU if before_BU is None else activity_BU + before_BU

    def _kept(self, place: Place, output: Any) -> Any:
        assert self._trace is not None
        axes = iter(self._trace.output_axes[place])

        def keep(value: Tensor) -> _Rows | _Shape:
            axis = next(axes, None)
            if axis is None:
                return _Rows(value.clone(), None)
            per_item = value.shape[axis] // len(self)
            if place in self._needed:  # a copy: the network may overwrite its own
                return _Rows(value.clone(), axis, per_item)
            return _Shape(value.narrow(axis, 0, per_item).clone(), axis)

        return mapped_value(keep, Tensor, output)


class Replay:
    """Runs of a network from a cut on: calls that are over by then give what they gave.

    Within `with`, the network is changed: nobody else may use it. `stand_ins` are forward passes
    in place of some modules' own.
    """

    def __init__(
        self,
        network: nn.Module,
        prefix: Prefix,
        cut: Cut,
        stand_ins: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._network, self._prefix, self._cut = network, prefix, cut
        self._stand_ins = dict(stand_ins or {})
        self._counts: Counter[str] = Counter()
        self._items_P = torch.empty(0, dtype=torch.int64)
        self._given: Tensor | None = None
        self._own: dict[str, Any] = {}

    def __enter__(self) -> Replay:
        over = {place for place in self._cut.over}
        for path in {path for path, _ in (*over, self._cut.place)} | set(self._stand_ins):
            module = self._network.get_submodule(path)
            forward = self._stand_ins.get(path, module.forward)
            self._own[path] = vars(module).get("forward")
            module.forward = self._replaying(path, forward, over)
        return self

    def __exit__(self, *_: object) -> None:
        for path, own in self._own.items():
            module = self._network.get_submodule(path)
            vars(module).pop("forward", None)
            if own is not None:
                module.forward = own

    def __call__(self, items_P: Tensor, given: Tensor | None = None) -> Tensor:
        """The logits (P, …, K) for those items of the chunk. `given`: what the call at the cut
        gives, where it is not to run."""
        self._items_P, self._given = items_P, given
        self._counts.clear()
        prefix, reads = self._prefix, self._cut.reads_inputs
        inputs = prefix.inputs_of(items_P) if reads else prefix.shapes_of(len(items_P))
        return output_of(run_on(self._network, inputs)).double()

    def _replaying(
        self, path: str, forward: Callable[..., Any], over: Collection[Place]
    ) -> Callable[..., Any]:
        def replayed(*args: Any, **kwargs: Any) -> Any:
            place = path, self._counts[path]
            self._counts[path] += 1
            if place in over:
                kept = self._prefix.results[place]
                return mapped_value(lambda rows: rows.of(self._items_P), (_Rows, _Shape), kept)
            if place == self._cut.place and self._given is not None:
                return self._given
            return forward(*args, **kwargs)

        return replayed
