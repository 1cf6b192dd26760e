"""Forward passes of two networks as far as a module of each, one batch of items after the other.

Shape legend: M rows (places of a map, tokens, items), K channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor
from engine.tasks import Inputs, Task
from engine.tasks.batch import mapped, run_on

BATCH = 64  # items
_LAST_AXIS = (nn.Linear, nn.LayerNorm)


class Call(NamedTuple):
    """What a module got first, and what it gave."""

    x: Tensor
    y: Tensor


class _Reached(Exception):
    """The module has been called: what is behind it need not run."""


@dataclass(frozen=True)
class Passes:
    """The items that a repair looks at, for a parent and its child."""

    child: nn.Module
    parent: nn.Module
    task: Task
    items: Tensor
    execution: Execution
    monitor: Monitor

    def both(self, path: str) -> Iterator[tuple[Call, Call]]:
        """For each batch, the call of the child's module of that path, and of the parent's."""
        for inputs in self._inputs():
            yield run_to(self.child, path, inputs), run_to(self.parent, path, inputs)

    def of_parent(self, path: str) -> Iterator[Call]:
        for inputs in self._inputs():
            yield run_to(self.parent, path, inputs)

    def of_child(self, path: str) -> Iterator[Call]:
        for inputs in self._inputs():
            yield run_to(self.child, path, inputs)

    def _inputs(self) -> Iterator[Inputs]:
        device = torch_device(self.execution)
        for batch in self.task.batches("train", BATCH, self.items):
            self.monitor.check()
            yield mapped(batch.to(device).inputs, Tensor.contiguous)


@torch.no_grad()
def run_to(model: nn.Module, path: str, inputs: Inputs) -> Call:
    """Runs a network until the module of that path has been called."""
    found: list[Call] = []

    def see(module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        found.append(Call(args[0], result))
        raise _Reached

    with hooked(model.get_submodule(path).register_forward_hook, see), suppress(_Reached):
        run_on(model, inputs)
    return found[0]


@contextmanager
def hooked(register: Callable[..., Any], hook: Callable[..., Any]) -> Iterator[None]:
    """A hook as long as it is wanted."""
    handle = register(hook)
    try:
        yield
    finally:
        handle.remove()


def channels_last(y: Tensor, module: nn.Module) -> Tensor:
    """What a module gives, or a batch norm gets, as rows (M, K) in double precision."""
    if not isinstance(module, _LAST_AXIS):
        y = y.movedim(1, -1)
    return y.flatten(0, -2).double()


@dataclass
class Moments:
    """The mean and variance of rows that come in parts. Exact: sums in double precision."""

    count: int = 0
    sum_K: Tensor | float = 0.0
    squares_K: Tensor | float = 0.0

    def add(self, rows_MK: Tensor) -> None:
        self.count += len(rows_MK)
        self.sum_K = self.sum_K + rows_MK.sum(0)
        self.squares_K = self.squares_K + rows_MK.square().sum(0)

    @property
    def mean_K(self) -> Tensor:
        return torch.as_tensor(self.sum_K) / self.count

    @property
    def variance_K(self) -> Tensor:
        """Of the rows themselves, without Bessel's correction."""
        return (torch.as_tensor(self.squares_K) / self.count - self.mean_K.square()).clamp_min(0)
