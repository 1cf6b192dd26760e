"""The innermost module that holds all of a group, with what it gets in a forward pass: a group is
tried there, for a fraction of what the network costs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from engine.contracts.structure import UnitGroup
from engine.pruning.structure.labels.attributes import common_ancestor
from engine.pruning.structure.recording import copied

Run = Callable[[nn.Module], object]
Inputs = tuple[tuple[Any, ...], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Home:
    """A module of the network (by its path) and how it is run, or a copy of it."""

    path: str
    module: nn.Module
    run: Run


class Calls:
    """How often each module ran in a forward pass, and which gave a tensor."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gave_tensors: set[str] = set()

    def end(self, path: str, result: object) -> None:
        self.counts[path] += 1
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            self.gave_tensors.add(path)

    def of_once(self, path: str) -> bool:
        """Whether a module ran once and gave a tensor."""
        return self.counts[path] == 1 and path in self.gave_tensors


class Homes:
    """Where groups can be tried, by what ran in a forward pass; the inputs of all of them come from
    another one, which ends as soon as they are there."""

    def __init__(self, model: nn.Module, run: Run, groups: Iterable[UnitGroup], calls: Calls):
        self._model, self._run, self._calls = model, run, calls
        paths = {path: None for group in groups if (path := self._innermost(group))}
        self._inputs = _inputs_of(paths, model, run)

    def of(self, group: UnitGroup) -> Home:
        """The innermost that ran once and gave a tensor; the network where there is none."""
        path = self._innermost(group)
        if path and path not in self._inputs:
            self._inputs |= _inputs_of([path], self._model, self._run)
        return self._of(path) if path in self._inputs else Home("", self._model, self._run)

    def _innermost(self, group: UnitGroup) -> str:
        return next(filter(self._calls.of_once, _and_above(_holder(group))), "")

    def _of(self, path: str) -> Home:
        args, kwargs = self._inputs[path]

        def run(module: nn.Module) -> object:
            return module(*copied(args), **copied(dict(kwargs)))

        return Home(path, self._model.get_submodule(path), run)


def _holder(group: UnitGroup) -> str:
    """The innermost module of all that a group names."""
    return common_ancestor(
        [
            *(_above(each.tensor) for each in group.members),
            *(each.module for each in group.consumers),
            *(each.module for each in group.attributes),
            *(each.module for each in group.sizes),
        ]
    )


def _above(path: str) -> str:
    return path.rpartition(".")[0]


def _and_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = _above(path)


class _AllSeen(BaseException):
    """Ends a forward pass; no network takes it for an error of its own."""


def _inputs_of(paths: Iterable[str], model: nn.Module, run: Run) -> dict[str, Inputs]:
    """What modules got in a forward pass, by their paths; it goes as far as the last of them."""
    missing, found = set(paths), dict[str, Inputs]()

    def keeps(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            found[path] = copied((args, kwargs))
            missing.discard(path)
            if not missing:
                raise _AllSeen

        return hook

    with ExitStack() as stack:
        for path in missing:
            module = model.get_submodule(path)
            handle = module.register_forward_pre_hook(keeps(path), with_kwargs=True)
            stack.callback(handle.remove)
        with contextlib.suppress(_AllSeen):
            if missing:
                run(model)
    return found
