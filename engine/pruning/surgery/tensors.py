"""Slices of tensors, and what torch's modules say of their own sizes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.contracts.edits import Edit, Slice
from engine.contracts.errors import EditError
from engine.pruning.surgery.bounds import tensors_of


def sliced_tensors(edit: Edit, model: nn.Module) -> Mapping[int, Tensor]:
    """What stays of each tensor that an edit slices, by the `id` of the tensor."""
    tensors = tensors_of(model)
    by_tensor: dict[int, list[Slice]] = {}
    for each in edit.slices:
        by_tensor.setdefault(id(tensors[each.tensor]), []).append(each)
    return {key: _sliced(tensors[s[0].tensor], s) for key, s in by_tensor.items()}


def _sliced(old: Tensor, slices: list[Slice]) -> Tensor:
    new = old.detach()
    for each in slices:
        keep_N = torch.ones(new.shape[each.axis], dtype=torch.bool)
        keep_N[list(each.indices)] = False
        new = new.index_select(each.axis, keep_N.nonzero()[:, 0].to(new.device))
    # The layout of what was there is not kept: bits of a rebuilt network must not depend on it.
    new = new.contiguous()
    if isinstance(old, nn.Parameter):
        return nn.Parameter(new, requires_grad=old.requires_grad)
    return new


_TOLD = (
    nn.Linear,
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.Embedding,
    nn.PReLU,
)


def tells_its_sizes(module: nn.Module) -> bool:
    """Whether the sizes that a module says are those of its tensors after every edit."""
    return isinstance(module, _TOLD)


def tell_sizes(module: nn.Module) -> None:
    """Has one of torch's modules say the sizes of its tensors. Raises EditError."""
    weight = getattr(module, "weight", None)
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.modules.conv._ConvNd):
        _tell_convolution(module)
    elif isinstance(module, nn.modules.batchnorm._NormBase):
        tensor = weight if weight is not None else module.running_mean
        if tensor is not None:
            module.num_features = len(tensor)
    elif isinstance(module, nn.GroupNorm) and weight is not None:
        per_group = module.num_channels // module.num_groups
        _divides(len(weight), per_group, "a group norm")
        module.num_groups, module.num_channels = len(weight) // per_group, len(weight)
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm) and weight is not None:
        module.normalized_shape = tuple(weight.shape)
    elif isinstance(module, nn.Embedding):
        module.num_embeddings, module.embedding_dim = module.weight.shape
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)


def _tell_convolution(module: nn.modules.conv._ConvNd) -> None:
    out_axis, in_axis = (1, 0) if module.transposed else (0, 1)
    out_size, in_size = module.weight.shape[out_axis], module.weight.shape[in_axis]
    if module.groups > 1 and not module.transposed:  # whole groups of filters went
        per_group = module.out_channels // module.groups
        _divides(out_size, per_group, "a grouped convolution")
        module.groups = out_size // per_group
    module.out_channels = out_size * (module.groups if module.transposed else 1)
    module.in_channels = in_size * (1 if module.transposed else module.groups)


def _divides(size: int, per_group: int, what: str) -> None:
    if per_group < 1 or size % per_group:
        raise EditError(f"an edit leaves {size} channels of {what} whose groups have {per_group}")


def kept_tensors(module: nn.Module) -> list[dict[object, object]]:
    """The plain dicts in which a module keeps what its forward pass made of its parameters (LeViT
    keeps its attention biases so, by device)."""
    return [
        value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and type(value) is dict
        and value
        and all(isinstance(each, Tensor) for each in value.values())
    ]


def forget_kept_tensors(module: nn.Module) -> None:
    """Has the next forward pass make them anew: a parameter of the module is another now."""
    for kept in kept_tensors(module):
        kept.clear()
