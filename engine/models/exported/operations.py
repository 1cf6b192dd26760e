"""What a program may do: operations of torch that compute, and nothing else.

A program comes out of a file. Its operations are names of this list, its numbers are bounded.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

LARGEST = 2**17  # of a whole number in a program: a size, a stride, an axis
_OF_SIZES = {"add": operator.add, "sub": operator.sub, "mul": operator.mul,
             "floordiv": operator.floordiv}  # fmt: skip
_ATEN = """
abs.default adaptive_avg_pool2d.default add.Tensor add_.Tensor alias.default amax.default
avg_pool2d.default bmm.default cat.default chunk.default clamp.default clone.default
constant_pad_nd.default contiguous.default detach.default div.Tensor div_.Tensor elu.default
exp.default expand.default expand_as.default flatten.using_ints gelu.default hardsigmoid.default
hardsigmoid_.default hardswish.default hardswish_.default hardtanh.default hardtanh_.default
leaky_relu.default leaky_relu_.default log_softmax.int matmul.default max_pool2d.default
maximum.default mean.default mean.dim minimum.default mish.default mul.Scalar mul.Tensor mul_.Tensor
neg.default pad.default permute.default pow.Tensor_Scalar reciprocal.default relu.default
relu6.default relu6_.default relu_.default reshape.default rsqrt.default
scaled_dot_product_attention.default select.int sigmoid.default sigmoid_.default silu.default
silu_.default slice.Tensor softmax.int softplus.default split.Tensor split_with_sizes.default
sqrt.default squeeze.dim squeeze.dims stack.default sub.Tensor sub_.Tensor sum.dim_IntList
sym_size.int t.default tanh.default tanh_.default transpose.int unbind.int unflatten.int
unsqueeze.default upsample_bilinear2d.vec upsample_nearest2d.vec view.default
"""


def _found(name: str) -> Callable[..., Any]:
    packet, _, overload = name.partition(".")
    made: Callable[..., Any] = getattr(getattr(torch.ops.aten, packet), overload)
    return made


OPERATIONS: dict[str, Callable[..., Any]] = {
    **{f"torch.ops.aten.{name}": _found(name) for name in _ATEN.split()},
    **{f"_operator.{name}": of_sizes for name, of_sizes in _OF_SIZES.items()},
}


def _conv2d(made: Mapping[str, Any]) -> nn.Module:
    return nn.Conv2d(**made)


def _batch_norm(made: Mapping[str, Any]) -> nn.Module:
    told = {name: value for name, value in made.items() if name != "is_2d"}
    kind = nn.BatchNorm2d if made["is_2d"] else nn.BatchNorm1d
    return kind(**told)


def _linear(made: Mapping[str, Any]) -> nn.Module:
    return nn.Linear(**made)


def _layer_norm(made: Mapping[str, Any]) -> nn.Module:
    return nn.LayerNorm(**made)


def _dropout(made: Mapping[str, Any]) -> nn.Module:
    return nn.Dropout(**made)


# Operations with weights become modules, so that what belongs together is known, and a batch norm
# learns again when the network is trained.
MODULES: dict[str, Callable[[Mapping[str, Any]], nn.Module]] = {
    "conv2d": _conv2d,
    "batch_norm": _batch_norm,
    "linear": _linear,
    "layer_norm": _layer_norm,
    "dropout": _dropout,
}


def check_plain(value: object, depth: int = 0) -> None:
    """Raises ValueError for what is no number, short word or list of these within bounds."""
    if isinstance(value, Mapping):
        for inner in value.values():
            check_plain(inner, depth + 1)
    elif isinstance(value, list | tuple):
        if len(value) > 4096:
            raise ValueError(f"a list of {len(value):,} in a program; 4,096 at most")
        for inner in value:
            check_plain(inner, depth + 1)
    elif isinstance(value, str):
        if len(value) > 512:
            raise ValueError("a word of more than 512 characters in a program")
    elif isinstance(value, int) and not isinstance(value, bool) and value == 2**63 - 1:
        pass  # to the end, in a slice
    elif isinstance(value, int | float):
        if not abs(value) <= LARGEST and abs(value) != float("inf"):
            raise ValueError(f"the number {value!r:.40} in a program; {LARGEST:,} at most")
    elif value is not None:
        raise ValueError(f"a {type(value).__name__} in a program")
    if depth > 6:
        raise ValueError("values that are nested too deeply in a program")
