"""What an edit may say. It is input from outside: every name must be one of this network, every
index in range, every number smaller than the one that is there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from torch import Tensor, nn

from engine.contracts.edits import Attribute, Edit, Removal, Size, Slice
from engine.contracts.errors import EditError
from engine.contracts.message_text import shown

MOST_RESULTS = 16  # of a call, as a stand-in gives them
MOST_SIZES = 10_000


def check_bounds(edit: Edit, model: nn.Module) -> None:
    """Raises EditError."""
    modules = dict(model.named_modules(remove_duplicate=False))
    for removal in edit.removals:
        _check_removal(removal, modules)
    _check_apart([removal.path for removal in edit.removals])
    _check_slices(edit.slices, tensors_of(model))
    for attribute in edit.attributes:
        _check_attribute(attribute, modules)
    if len(edit.sizes) > MOST_SIZES:
        raise EditError(f"an edit of {len(edit.sizes):,} sizes; at most {MOST_SIZES:,} are read")
    for size in edit.sizes:
        _check_size(size, modules)


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by each of its names."""
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }


def place_of(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds the one at `path`, and the name by which it does."""
    parent, _, name = path.rpartition(".")
    return model.get_submodule(parent), name


def _check_removal(removal: Removal, modules: dict[str, nn.Module]) -> None:
    if not removal.path or removal.path not in modules:
        raise EditError(f"the network has no block {shown(removal.path)}")
    if not 0 <= removal.num_results <= MOST_RESULTS:
        raise EditError(
            f"block {shown(removal.path)} is said to give {removal.num_results} results; "
            f"it is 0 to {MOST_RESULTS}"
        )


def _check_apart(paths: list[str]) -> None:
    for path in paths:
        if paths.count(path) > 1:
            raise EditError(
                f"an edit names {shown(path)} twice: there is no block {shown(path)} then"
            )
        inside = next((other for other in paths if other.startswith(f"{path}.")), None)
        if inside is not None:
            raise EditError(f"an edit removes {shown(path)} and, inside of it, {shown(inside)}")


def _check_slices(slices: Iterable[Slice], tensors: dict[str, Tensor]) -> None:
    seen: set[tuple[int, int]] = set()
    for each in slices:
        tensor = tensors.get(each.tensor)
        if tensor is None:
            raise EditError(f"the network has no tensor {shown(each.tensor)}")
        if not 0 <= each.axis < tensor.dim():
            raise EditError(f"{shown(each.tensor)} has no axis {each.axis}")
        size = tensor.shape[each.axis]
        if not each.indices or not 0 <= each.indices[0] <= each.indices[-1] < size:
            raise EditError(
                f"axis {each.axis} of {shown(each.tensor)} has indices 0 to {size - 1}; the edit "
                f"names {each.indices[0] if each.indices else 'none'} to "
                f"{each.indices[-1] if each.indices else 'none'}"
            )
        if any(a >= b for a, b in pairwise(each.indices)):
            raise EditError(f"the indices of {shown(each.tensor)} do not ascend")
        if len(each.indices) >= size:
            raise EditError(
                f"an edit may not remove all {size} indices of {shown(each.tensor)}; "
                f"{size - 1} at most"
            )
        if (id(tensor), each.axis) in seen:
            raise EditError(f"an edit names axis {each.axis} of {shown(each.tensor)} twice")
        seen.add((id(tensor), each.axis))


def _check_attribute(attribute: Attribute, modules: dict[str, nn.Module]) -> None:
    module = modules.get(attribute.module)
    value = vars(module).get(attribute.name) if module is not None else None
    if attribute.position is not None and isinstance(value, list | tuple):
        inside = 0 <= attribute.position < len(value)
        value = value[attribute.position] if inside else None
    what = f"{shown(f'{attribute.module}.{attribute.name}')}"
    if attribute.name.startswith("_") or type(value) is not int:
        raise EditError(f"the network has no number {what}")
    if not 1 <= attribute.value < value:
        raise EditError(
            f"{what} is {value}; an edit can only make it smaller, not {attribute.value}"
        )


def _check_size(size: Size, modules: dict[str, nn.Module]) -> None:
    if size.module not in modules:
        raise EditError(f"the network has no module {shown(size.module)}")
    if not (0 <= size.call < 10**6 and 0 <= size.position < 64 and size.value >= 1):
        raise EditError(f"a size of {shown(size.module)} that cannot be: {size}")
