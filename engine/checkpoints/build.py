"""Networks made for a checkpoint's weights: what may be called, and how large they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.checkpoints.errors import ArchitectureError
from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError, UnknownFamilyError
from engine.contracts.message_text import plain, shown
from engine.contracts.networks import Architecture
from engine.models import build
from engine.pruning.editing import rebuild

# What factories and edits raise when their arguments, which come out of a file, are nonsense.
_NONSENSE = (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError,
             OverflowError, AssertionError, MemoryError)  # fmt: skip


# A network is made in full before its edits are applied, so a small file may describe a large one.
MAX_UNPRUNED_ELEMENTS = 2**30


class _WithoutRandomValues(TorchFunctionMode):
    """Leaves random initialisation out: on the meta device it would import the compiler (6 s)."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def outline(factory: str, arguments: Mapping[str, Any]) -> nn.Module:
    """A network without values (on the meta device), however large it claims to be."""
    with torch.device("meta"), _WithoutRandomValues():
        return rebuilt(factory, arguments)


def check_size(unpruned: nn.Module) -> None:
    """Raises ArchitectureError for an outline that no memory should be spent on."""
    num_elements = sum(parameter.numel() for parameter in unpruned.parameters())
    if num_elements > MAX_UNPRUNED_ELEMENTS:
        raise ArchitectureError(
            f"before its edits the network has {num_elements:,} parameters; at most "
            f"{MAX_UNPRUNED_ELEMENTS:,} are read; give the checkpoint of a smaller network"
        )


def rebuilt(
    factory: str, arguments: Mapping[str, Any], edits: Any = (), prepared: tuple[str, ...] = ()
) -> nn.Module:
    """The network that a file describes. Raises ArchitectureError."""
    try:
        read = tuple(map(Edit.from_json, edits))
        return rebuild(Architecture(factory, arguments, read, prepared))
    except (EngineError, *_NONSENSE) as error:
        raise ArchitectureError(
            f"the architecture {shown(factory)} in it cannot be built "
            f"({type(error).__name__}: {plain(str(error))}); write the checkpoint again"
        ) from error


@torch.inference_mode()
def check_same_function(model: nn.Module, architecture: Architecture) -> None:
    """Raises ArchitectureError where a person's network computes something else than what our
    architecture of its shape does: every figure of its tree would be that one's."""
    ours = rebuilt(architecture.factory, architecture.arguments)
    ours.load_state_dict(model.state_dict())
    channels = next(model.parameters()).shape[1]
    images_BCHW = torch.rand((2, channels, 32, 32), generator=torch.Generator().manual_seed(0))
    if not torch.allclose(ours.eval()(images_BCHW), model(images_BCHW), rtol=1e-3, atol=1e-4):
        raise ArchitectureError(
            f"{type(model).__name__} has the tensors of a CIFAR ResNet but computes something "
            "else; leave --arch out to have its layout found on training images"
        )


def from_factory(
    reference: str, arguments: Mapping[str, Any] | None = None, *, seed: int = 0
) -> nn.Module:
    """The network of a registry, or that a person's `package.module:factory` makes when called
    without arguments. Raises UnknownFamilyError."""
    try:
        model = build(reference, arguments or {}, seed=seed)
    except _NONSENSE as error:
        raise UnknownFamilyError(
            f"the factory {reference!r} fails when called without arguments "
            f"({type(error).__name__}: {plain(str(error))}); give a function that needs none"
        ) from error
    if not isinstance(model, nn.Module):
        raise UnknownFamilyError(
            f"the factory {reference!r} makes {shown(model)}; it must return a torch.nn.Module"
        )
    return model
