"""Numbers written into a forward pass (reshapes, splits) made smaller.

The forward pass runs as it is, under a mode that puts the smaller number in the place of the one
that is named there. The module's class says so, hence copies of the module do as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from torch import nn
from torch.overrides import TorchFunctionMode

from engine.contracts.edits import Size
from engine.contracts.errors import EditError
from engine.contracts.message_text import shown
from engine.pruning.surgery.named_sizes import SIZED, running_module, with_numbers
from engine.pruning.surgery.tensors import forget_kept_tensors


class SmallerSizes:
    """Mixed into the class of a module whose forward pass names sizes that have become smaller."""

    smaller_sizes: dict[tuple[int, int], int]  # by call and position

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        # What it kept of a former call it would not make again, and calls would be counted wrong.
        forget_kept_tensors(cast(nn.Module, self))
        with _Lowering(self, self.smaller_sizes):
            return super().forward(*args, **kwargs)  # type: ignore[misc]


class _Lowering(TorchFunctionMode):
    """One call of a module, in which the calls that name sizes are counted."""

    def __init__(self, module: object, sizes: Mapping[tuple[int, int], int]) -> None:
        super().__init__()
        self.module = module
        self.call = 0
        self.by_call: dict[int, dict[int, int]] = {}
        for (call, position), value in sizes.items():
            self.by_call.setdefault(call, {})[position] = value

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in SIZED and running_module() is self.module:
            new = self.by_call.get(self.call)
            self.call += 1
            if new:
                func, args, kwargs = with_numbers(func, args, kwargs, new)
        return func(*args, **kwargs)


def with_sizes(model: nn.Module, sizes: Sequence[Size]) -> nn.Module:
    """The model itself, in whose forward pass those sizes are smaller from now on.

    Raises EditError; in the forward pass too, where the number there is none or is smaller.
    """
    for size in sizes:
        module = model.get_submodule(size.module)
        if not isinstance(module, SmallerSizes):
            _prepare(module, size.module)
        known: dict[tuple[int, int], int] = module.smaller_sizes  # type: ignore[assignment]
        before = known.get((size.call, size.position))
        if before is not None and size.value >= before:
            raise EditError(
                f"a size of {shown(size.module)} is {before}; an edit can only make it smaller, "
                f"not {size.value}"
            )
        known[size.call, size.position] = size.value
    return model


def _prepare(module: nn.Module, path: str) -> None:
    kind = type(module)
    if "forward" in vars(module):
        raise EditError(f"the forward pass of {shown(path)} was replaced: its sizes are unknown")
    try:
        module.__class__ = type(f"{kind.__name__}WithSizes", (SmallerSizes, kind), {})
    except TypeError as error:
        raise EditError(f"the sizes of {shown(path)} cannot be changed: {error}") from error
    vars(module)["smaller_sizes"] = {}
