"""Smaller images that tell of a network what large ones do, sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.contracts.errors import EngineError
from engine.pruning.structure.recording import NETWORK_ERRORS, Example
from engine.pruning.surgery.named_sizes import SIZED, running_module

SMALL = 64  # pixels
LEAST_SAVED = 1.5  # times fewer pixels in height and width, or it is not worth it


def smaller(model: nn.Module, example: Example) -> Example:
    """Smaller images, where the network runs on them, goes the same way (a Swin does not shift
    windows as large as the image) and gives an output of the same shape."""
    images = example.inputs
    if not example.is_of_images or not isinstance(images, Tensor):
        return example
    if min(images.shape[2:]) < LEAST_SAVED * SMALL:
        return example
    small = example.of(images[:1, :, :SMALL, :SMALL].contiguous())
    try:
        found, its_way = _followed(model, small)
    except (*NETWORK_ERRORS, EngineError):
        return example
    expected, way = _followed(model, example.only(1))
    if found.shape != expected.shape or its_way != way or not bool(found.isfinite().all()):
        return example
    return example.of(images[:, :, :SMALL, :SMALL].contiguous())


def _followed(model: nn.Module, example: Example) -> tuple[Tensor, list[tuple[int, object]]]:
    """What a network gives, and where its forward pass names sizes: edits count those calls."""
    with _Way() as way:
        return example(model), way.calls


class _Way(TorchFunctionMode):
    """Notes the calls that name sizes, each with the module that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, object]] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in SIZED:
            self.calls.append((id(running_module()), func))
        return func(*args, **(kwargs or {}))
