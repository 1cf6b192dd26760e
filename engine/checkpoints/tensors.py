"""Tensors fit to be weights, and their strict loading into a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from engine.checkpoints.errors import ArchitectureError, UnsuitableValueError
from engine.checkpoints.stand_ins import Inert
from engine.contracts.message_text import listed, shown

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_WHOLE = (torch.int64, torch.int32, torch.uint8, torch.bool)
_COUNTER = "num_batches_tracked"


def is_counter(name: str) -> bool:
    """Whether this is a batch norm's counter: a whole number that no result depends on."""
    return name.rpartition(".")[2] == _COUNTER


def as_weights(
    state: Mapping[str, Any], is_whole: Callable[[str], bool] = is_counter
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors as finite float32 on the CPU, and notes on what was converted.

    `is_whole` tells which names may hold whole numbers. Raises UnsuitableValueError.
    """
    weights: dict[str, Tensor] = {}
    converted: dict[str, int] = {}
    for name, value in state.items():
        tensor = _dense(name, value)
        if tensor.dtype in _WHOLE and is_whole(name):
            weights[name] = tensor
            continue
        if tensor.dtype not in _FLOATS:
            _refuse(name, f"of type {str(tensor.dtype).removeprefix('torch.')}, no weight",
                    "convert it to float32 (dequantised) and save it again")  # fmt: skip
        if tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            converted[kind] = converted.get(kind, 0) + 1
        # A float64 beyond float32's range becomes infinite, so look after converting.
        weights[name] = tensor.to(torch.float32)
        if not bool(torch.isfinite(weights[name]).all()):
            bad = int((~torch.isfinite(weights[name])).sum())
            _refuse(
                name,
                f"not finite in {bad:,} of {tensor.numel():,} places (NaN or infinite)",
                "the training diverged, or the file is damaged: take an earlier checkpoint",
            )
        if name.endswith("running_var") and tensor.numel() and float(weights[name].min()) < 0:
            _refuse(name, "a variance with negative values", "the file is damaged: fetch it again")
    notes = (f"{count} tensors were {kind}; made float32" for kind, count in converted.items())
    return weights, tuple(notes)


def _dense(name: str, value: Any) -> Tensor:
    if isinstance(value, Inert):
        _refuse(
            name,
            f"of the class {shown(value.class_name)}, not a tensor",
            "make a tensor of it (torch.as_tensor for a NumPy array) and save it again",
        )
    if not isinstance(value, Tensor):
        _refuse(name, f"{shown(value)}, not a tensor", "save model.state_dict() alone")
    tensor = value.detach()
    if tensor.layout is not torch.strided:
        _refuse(name, "a sparse tensor", "convert it with .to_dense() and save it again")
    if tensor.is_quantized:
        _refuse(name, "a quantised tensor", "convert it with .dequantize() and save it again")
    if tensor.device.type != "cpu":
        _refuse(name, "a tensor without values", "save the weights themselves")
    if tensor.numel() * tensor.itemsize > tensor.untyped_storage().nbytes():
        _refuse(name, "larger than its storage", "save it again with .contiguous()")
    return tensor


def _refuse(name: str, what: str, remedy: str) -> NoReturn:
    raise UnsuitableValueError(f"{shown(name)} is {what}; {remedy}")


def mismatches(
    expected: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]]
) -> list[str]:
    """How the tensors of a file differ from a network's, in words, one a name."""
    missing = [f"{shown(n)} is missing" for n in expected if n not in given and not is_counter(n)]
    extra = [f"{shown(n)} has no place in the network" for n in given if n not in expected]
    shaped = [
        f"{shown(name)} is {_shape(given[name])} where the network has {_shape(shape)}"
        for name, shape in expected.items()
        if name in given and given[name] != shape
    ]
    return [*shaped, *missing, *extra]


def shapes_of(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor by its name."""
    return {name: tuple(v.shape) for name, v in state.items() if isinstance(v, Tensor)}


def check_shapes(model: nn.Module, state: Mapping[str, Any], what: str, remedy: str) -> None:
    """Raises ArchitectureError where names or shapes differ, with the first five."""
    differences = mismatches(shapes_of(model.state_dict()), shapes_of(state))
    if differences:
        raise ArchitectureError(
            f"the tensors do not fit {what} ({len(differences)} differences): "
            f"{listed(differences)}; {remedy}"
        )


def load_strictly(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Puts weights whose names and shapes were checked into a network; eval mode, float32."""
    counters = {n: v for n, v in model.state_dict().items() if is_counter(n)}
    try:
        model.load_state_dict({**counters, **weights}, strict=True)
    except (RuntimeError, TypeError, ValueError) as error:  # a factory with loading of its own
        raise ArchitectureError(
            "the network refuses these weights; give the factory they were saved from"
        ) from error
    return model.to(device="cpu", dtype=torch.float32).eval()


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
