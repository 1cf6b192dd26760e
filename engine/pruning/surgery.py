"""Edits as data, and the surgery that carries them out on a copy.

An edit names what goes: whole blocks by their path, or single filters by the path of their
convolution and their indices in the network that the edit is applied to.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.edits import Edit
from engine.contracts.errors import EditError
from engine.contracts.networks import Architecture
from engine.models import build
from engine.pruning.structure import FilterGroup, structure_of


def apply(edit: Edit, model: nn.Module) -> nn.Module:
    """A copy of `model` without what the edit removes; smaller tensors, no masks.

    Raises EditError for paths and indices that the model does not have, and for edits that would
    leave nothing to compute with.
    """
    pruned = copy.deepcopy(model)
    if edit.structure == "layer":
        for path in edit.blocks:
            _remove_block(pruned, path)
    else:
        groups = {group.path: group for group in structure_of(pruned).filter_groups}
        for path, indices in edit.filters:
            if path not in groups:
                raise EditError(
                    f"the network has no prunable convolution {path!r}; it has {', '.join(groups)}"
                )
            _remove_filters(pruned, groups[path], indices)
    return pruned


def rebuild(architecture: Architecture) -> nn.Module:
    """The network that an architecture describes, untrained.

    Raises UnknownFamilyError and EditError.
    """
    model = build(architecture.factory, architecture.arguments)
    for edit in architecture.edits:
        model = apply(edit, model)
    return model


def _remove_block(model: nn.Module, path: str) -> None:
    blocks = {block.path: block for block in structure_of(model).blocks}
    if path not in blocks:
        raise EditError(f"the network has no block {path!r}; it has {', '.join(blocks)}")
    if blocks[path].changes_shape:
        free = [block.path for block in blocks.values() if not block.changes_shape]
        raise EditError(
            f"block {path} changes the shape of the maps and cannot be removed; "
            f"these can: {', '.join(free) or 'none'}"
        )
    parent_path, _, name = path.rpartition(".")
    del model.get_submodule(parent_path)._modules[name]


def _remove_filters(model: nn.Module, group: FilterGroup, indices: tuple[int, ...]) -> None:
    out_of_range = [i for i in indices if not 0 <= i < group.num_filters]
    if out_of_range:
        raise EditError(
            f"{group.path} has filters 0 to {group.num_filters - 1}; "
            f"the edit names {out_of_range[0]}"
        )
    if len(set(indices)) != len(indices):
        raise EditError(f"the edit names a filter of {group.path} twice: {indices}")
    if len(indices) >= group.num_filters:
        raise EditError(
            f"an edit may not remove all {group.num_filters} filters of {group.path}; "
            f"{group.num_filters - 1} at most"
        )
    gone = set(indices)
    keep_K = torch.tensor([i for i in range(group.num_filters) if i not in gone])
    _keep_outputs(model.get_submodule(group.path), keep_K)
    if group.norm is not None:
        _keep_outputs(model.get_submodule(group.norm), keep_K)
    _keep_inputs(model.get_submodule(group.consumer), keep_K)


def _keep_outputs(module: nn.Module, keep_K: Tensor) -> None:
    """Keeps these output channels of a convolution or a batch norm, in place."""
    for store in (module._parameters, module._buffers):
        for name, tensor in store.items():
            if tensor is not None and tensor.dim() > 0:
                store[name] = _like(tensor, tensor.detach()[keep_K.to(tensor.device)])
    if isinstance(module, nn.Conv2d):
        module.out_channels = len(keep_K)
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = len(keep_K)


def _keep_inputs(module: nn.Module, keep_K: Tensor) -> None:
    assert isinstance(module, nn.Conv2d) and module.groups == 1
    weight = module.weight
    kept = weight.detach().index_select(1, keep_K.to(weight.device))
    module._parameters["weight"] = _like(weight, kept)
    module.in_channels = len(keep_K)


def _like(old: Tensor, values: Tensor) -> Any:
    new = values.clone(memory_format=torch.contiguous_format)
    return (
        nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new
    )
