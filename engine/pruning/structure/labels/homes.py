"""The innermost module that holds all of a group, with what it gets in a forward pass: a group is
tried there, for a fraction of what the network costs."""

from __future__ import annotations

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


class Homes:
    """Where groups can be tried: found in one forward pass for all."""

    def __init__(self, model: nn.Module, run: Run, groups: Iterable[UnitGroup]) -> None:
        self._model, self._run = model, run
        paths = {path for group in groups for path in _and_above(_holder(group))}
        self._inputs = _inputs_of_once(paths, model, run) if paths else {}

    def of(self, group: UnitGroup) -> Home:
        """The innermost that ran once and gave a tensor; the network where there is none."""
        for path in _and_above(_holder(group)):
            if path in self._inputs:
                return self._of(path)
        return Home("", self._model, self._run)

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


def _inputs_of_once(paths: Iterable[str], model: nn.Module, run: Run) -> dict[str, Inputs]:
    """What those modules got that ran once, by their paths."""
    begun: dict[str, list[Inputs]] = {path: [] for path in paths}
    gave_tensors = set()

    def before(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            begun[path].append(copied((args, kwargs)) if not begun[path] else ((), {}))

        return hook

    def after(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], result: object) -> None:
            if any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
                gave_tensors.add(path)

        return hook

    with ExitStack() as stack:
        for path in begun:
            module = model.get_submodule(path)
            handle = module.register_forward_pre_hook(before(path), with_kwargs=True)
            stack.callback(handle.remove)
            stack.callback(module.register_forward_hook(after(path)).remove)
        run(model)
    return {
        path: calls[0] for path, calls in begun.items() if len(calls) == 1 and path in gave_tensors
    }
