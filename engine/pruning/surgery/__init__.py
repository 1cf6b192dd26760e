"""Edits carried out on a copy of a network, from their results alone: the network is not run, so it
may as well lie on the meta device.

Tensors that are sliced are copied once, as what stays of them; so is everything else, and tied
tensors stay tied.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from engine.contracts.edits import Attribute, Edit
from engine.pruning.surgery.bounds import check_bounds, place_of, tensors_of
from engine.pruning.surgery.sizes import with_sizes
from engine.pruning.surgery.stand_ins import stand_in_for
from engine.pruning.surgery.tensors import forget_kept_tensors, sliced_tensors, tell_sizes

__all__ = ["carry_out"]


def carry_out(edit: Edit, model: nn.Module, *, share: bool = False) -> nn.Module:
    """A copy of `model` without what the edit removes; smaller tensors, no masks.

    With `share` it has the very tensors of the model where they are not sliced: quickly made, to be
    looked at and thrown away. Raises EditError for anything that the model does not have, and for
    numbers that are not smaller than those that it has.
    """
    check_bounds(edit, model)
    # A deep copy takes what stands in its memo for what it would have copied.
    memo: dict[int, Any] = dict(sliced_tensors(edit, model))
    if share:
        memo = {id(tensor): tensor for tensor in tensors_of(model).values()} | memo
    for removal in edit.removals:
        memo[id(model.get_submodule(removal.path))] = stand_in_for(removal, model)
    pruned = copy.deepcopy(model, memo)
    for removal in edit.removals:
        if removal.how == "delete":
            owner, name = place_of(pruned, removal.path)
            del owner._modules[name]
    for path in dict.fromkeys(each.tensor.rpartition(".")[0] for each in edit.slices):
        tell_sizes(pruned.get_submodule(path))
        forget_kept_tensors(pruned.get_submodule(path))
    for attribute in edit.attributes:
        _set(pruned.get_submodule(attribute.module), attribute)
    return with_sizes(pruned, edit.sizes)


def _set(module: nn.Module, attribute: Attribute) -> None:
    value: Any = attribute.value
    if attribute.position is not None:
        numbers = list(getattr(module, attribute.name))
        numbers[attribute.position] = value
        value = type(getattr(module, attribute.name))(numbers)
    setattr(module, attribute.name, value)
