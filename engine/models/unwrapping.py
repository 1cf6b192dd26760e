"""A person's network without what is wrapped around it: compiled, parallel or averaged."""

from __future__ import annotations

import torch
from torch import nn

from engine.contracts.errors import UnknownFamilyError

_INSIDE = {  # by the name of the class, for importing the compiler takes seconds
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "module",
    "AveragedModel": "module",
}


def unwrapped(model: nn.Module, reference: str) -> nn.Module:
    """The network itself, every part of it unwrapped too; changed in place.

    Of a network that is frozen from end to end all of it is to be trained again. Raises
    UnknownFamilyError for programs and quantised networks, which have no weights to be cut.
    """
    while (inner := _inner(model)) is not None:
        model = inner
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            while (inner := _inner(child)) is not None:
                child = inner
                setattr(module, name, child)
        if module._compiled_call_impl is not None:  # by nn.Module.compile
            module._compiled_call_impl = None
    _check_cuttable(model, reference)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        model.requires_grad_(True)
    return model


def _inner(module: nn.Module) -> nn.Module | None:
    """What a wrapper of torch's holds; None for any other module."""
    name = _INSIDE.get(type(module).__name__)
    if name is None or not type(module).__module__.startswith("torch."):
        return None
    inner = getattr(module, name, None)
    return inner if isinstance(inner, nn.Module) else None


def _check_cuttable(model: nn.Module, reference: str) -> None:
    for path, module in model.named_modules():
        where = f"{path} of the network" if path else "the network"
        if isinstance(module, torch.jit.ScriptModule):
            raise UnknownFamilyError(
                f"{where} that {reference} makes is a TorchScript program, which holds no modules "
                "to be cut; return the torch.nn.Module that it was made of"
            )
        if ".quantized" in type(module).__module__:
            raise UnknownFamilyError(
                f"{where} that {reference} makes is quantised ({type(module).__name__}); return "
                "the float network, prune that, and quantise what comes out"
            )
