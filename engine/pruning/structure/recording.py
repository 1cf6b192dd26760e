"""What happens in one forward pass: the calls of every module, with their inputs as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from engine.models.outputs import output_of
from engine.runtime.attention import attention_in_the_open
from engine.tasks import Inputs
from engine.tasks.batch import mapped, run_on, tensors_of

# What a forward pass raises whose sizes do not fit: anybody's code, and torch's own.
NETWORK_ERRORS = (
    RuntimeError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    NotImplementedError,
    AssertionError,
    ArithmeticError,
)
Run = Callable[[Callable[..., Any]], Tensor]  # what a network gives on an example


@dataclass(frozen=True, eq=False)
class Example:
    """A few items to run a network on, and the name of its output where it has several."""

    inputs: Inputs
    output: str | None = None

    def __call__(self, model: Callable[..., Any]) -> Tensor:
        """The network's logits."""
        return self.take(run_on(model, mapped(self.inputs, Tensor.clone)))

    def take(self, result: object) -> Tensor:
        """The logits in what a network gives."""
        return output_of(result, self.output)

    def of(self, inputs: Inputs) -> Example:
        """The same with other items."""
        return Example(inputs, self.output)

    def only(self, count: int) -> Example:
        """The same with so many of the items; where there are fewer, with some of them again."""
        return self.of(mapped(self.inputs, lambda x: torch.cat([x] * count)[:count]))

    @property
    def is_of_images(self) -> bool:
        return isinstance(self.inputs, Tensor) and self.inputs.dim() == 4

    @property
    def shape(self) -> str:
        """Of an item, for people."""
        return ", ".join("×".join(map(str, x.shape[1:])) for x in tensors_of(self.inputs))


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module; `order` is its place among all calls as they ended, `began` the number
    of those that had ended when it began."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any
    began: int
    order: int

    @property
    def x(self) -> Tensor | None:
        """The first tensor that it got."""
        values = (*self.args, *self.kwargs.values())
        return next((value for value in values if isinstance(value, Tensor)), None)

    @property
    def y(self) -> Tensor | None:
        """The first tensor that it gave."""
        return first_tensor(self.result)

    @property
    def num_results(self) -> int:
        return len(self.result) if isinstance(self.result, list | tuple) else 0

    def inputs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Its arguments, to be used up: networks write into what they get."""
        return copied(self.args), copied(dict(self.kwargs))


@dataclass(frozen=True, eq=False)
class Recording:
    """A forward pass. A module that stands at several places is recorded at its first."""

    result: Tensor
    calls: Mapping[str, list[Call]] = field(default_factory=dict)

    def only_call(self, path: str) -> Call | None:
        """The call of a module that ran once."""
        calls = self.calls.get(path, [])
        return calls[0] if len(calls) == 1 else None


def first_tensor(value: Any) -> Tensor | None:
    """A result's first tensor: itself, or the beginning of a tuple."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    return value if isinstance(value, Tensor) else None


def with_first(value: Any, tensor: Tensor) -> Any:
    """A result with another first tensor."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(tensor, *value[1:])
    if isinstance(value, list | tuple):
        return type(value)((tensor, *value[1:]))
    return tensor


def copied(value: Any) -> Any:
    """Arguments whose tensors nobody else holds."""
    return tree_map(lambda v: v.clone() if isinstance(v, Tensor) else v, value)


@torch.no_grad()
def record(model: nn.Module, run: Run, wanted: Callable[[nn.Module], bool]) -> Recording:
    """The calls of a forward pass; inputs are copied for the modules that are `wanted`."""
    calls: dict[str, list[Call]] = {}
    begun: list[tuple[tuple[Any, ...], dict[str, Any], int]] = []
    num_calls = 0

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = copied((args, kwargs)) if is_wanted[module] else (args, kwargs)
        begun.append((*inputs, num_calls))

    def after(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            nonlocal num_calls
            num_calls += 1
            used_args, used_kwargs, began = begun.pop()
            call = Call(used_args, used_kwargs, result, began, num_calls)
            calls.setdefault(path, []).append(call)

        return hook

    is_wanted = {module: wanted(module) for module in model.modules()}
    with contextlib.ExitStack() as stack:
        for path, module in model.named_modules():
            if path:
                handle = module.register_forward_pre_hook(before, with_kwargs=True)
                stack.callback(handle.remove)
                handle = module.register_forward_hook(after(path), with_kwargs=True)
                stack.callback(handle.remove)
        result = run(model)
    return Recording(result, calls)


@contextlib.contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """The network in evaluation, without kernels that pass its modules over; left as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with attention_in_the_open(), torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


@contextlib.contextmanager
def replaced(model: nn.Module, path: str, stand_in: nn.Module | None) -> Iterator[None]:
    """Another module (None: nothing) in the place of the one at `path`."""
    parent, _, name = path.rpartition(".")
    owner = model.get_submodule(parent)
    before = dict(owner._modules)
    if stand_in is None:
        del owner._modules[name]
    else:
        owner._modules[name] = stand_in
    try:
        yield
    finally:
        owner._modules.clear()
        owner._modules.update(before)  # in the order that it was
