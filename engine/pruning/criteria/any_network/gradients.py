"""Gradients where the units of a network are read.

Shape legend: B items of a chunk, U units, K classes. "…" is what an item's rows are along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.exact import Exact
from engine.pruning.criteria.any_network.units import Reader
from engine.pruning.criteria.any_network.values import (
    FORWARD_ERRORS,
    first_tensor,
    with_first_tensor,
)
from engine.tasks import Batch
from engine.tasks.batch import run_on

GRAPH_BYTES = 2**28  # of the values of one chunk's forward pass, which backward passes need
MOST_ITEMS = 64  # of a chunk

Readers = Mapping[str, Sequence[Reader]]  # by group


class Tapped:
    """A forward pass through which gradients flow to the inputs of the readers."""

    def __init__(
        self,
        network: nn.Module,
        batch: Batch,
        readers: Readers,
    ) -> None:
        self._readers, self.targets = readers, batch.targets
        self._taps: list[tuple[str, Tensor]] = []
        paths = {reader.path for of_group in readers.values() for reader in of_group}
        with torch.enable_grad(), self._hooks(network, paths):
            self.logits = output_of(run_on(network, batch.inputs))

    @contextmanager
    def _hooks(self, network: nn.Module, paths: set[str]) -> Iterator[None]:
        handles = []
        for path in sorted(paths):

            def tap(
                _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: str = path
            ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
                x = first_tensor(args, kwargs)
                if x is None:
                    return None
                # A copy: its gradient is of this reader alone, and nobody overwrites it.
                own = x.clone() if x.requires_grad else x.detach().clone().requires_grad_()
                self._taps.append((path, own))
                return with_first_tensor(args, kwargs, own)

            module = network.get_submodule(path)
            handles.append(module.register_forward_pre_hook(tap, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def changes(self, of_B: Tensor, more: bool) -> dict[str, Tensor]:
        """By how much silencing each unit changes a function of the items' logits, to first order
        (B, U), by group. `more`: there will be another function."""
        gradients = torch.autograd.grad(
            of_B.sum(), [x for _, x in self._taps], retain_graph=more, allow_unused=True
        )
        by_path: dict[str, list[Tensor]] = {}
        for (path, x), gradient in zip(self._taps, gradients, strict=True):
            if gradient is not None:
                by_path.setdefault(path, []).append(-gradient * x.detach())
        zeros_B = self.logits.new_zeros(len(self.targets), 1)
        changes: dict[str, Tensor] = {}
        for group, readers in self._readers.items():
            parts = [
                reader.of_units(product, len(self.targets))
                for reader in readers
                for product in by_path.get(reader.path, ())
            ]
            num_units = len(readers[0].ids_UI)
            changes[group] = sum(parts, zeros_B.expand(-1, num_units))
        return changes


def differentiable(exact: Exact) -> Readers:
    """The readers of those groups through which gradients can be taken, tried on a few items."""
    readers = {path: way.readers for path, way in exact.ways.items() if way.readers}
    try:
        with exact.copies.lent() as network:
            tapped = Tapped(network, exact.few, readers)
            tapped.changes(tapped.logits[..., 0], more=False)
    except FORWARD_ERRORS:
        return {}
    return readers


def chunk_size(exact: Exact) -> int:
    """How many items' values are kept at a time for the backward passes."""
    bytes_an_item = exact.trace.bytes_an_item if exact.trace is not None else 0
    return max(1, min(MOST_ITEMS, GRAPH_BYTES // max(1, bytes_an_item)))
