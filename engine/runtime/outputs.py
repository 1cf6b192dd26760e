"""What any network gives for images: its logits, and the module that makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.message_text import listed, shown

_LOGITS = "logits"


class NetworkOutputError(EngineError):
    """A network whose result is no class scores."""

    code = "network-output"


def logits_of(result: object, key: str | None = None) -> Tensor:
    """The logits (B, K) in what a network returned: the tensor, a tuple's first, or those called
    `logits` (or `key`). Raises NetworkOutputError."""
    if key is not None:
        return _tensor(_by_key(result, key), key)
    if isinstance(result, Tensor):
        return result
    if isinstance(result, Mapping):
        if _LOGITS in result:
            return _tensor(result[_LOGITS], _LOGITS)
        if len(result) == 1:
            return _tensor(*reversed(next(iter(result.items()))))
        names = listed(shown(name) for name in result) or "nothing"
        raise NetworkOutputError(
            f"the network gives {names}, and none is called 'logits'; say which are its class "
            "scores with --output KEY"
        )
    if hasattr(result, _LOGITS):
        return _tensor(getattr(result, _LOGITS), _LOGITS)
    if isinstance(result, tuple | list) and result:
        return _tensor(result[0], 0)
    raise NetworkOutputError(
        f"the network gives {type(result).__name__}, not class scores; give a factory whose "
        "network returns a tensor of images × classes"
    )


def _by_key(result: object, key: str) -> object:
    if isinstance(result, Mapping) and key in result:
        return result[key]
    if isinstance(result, tuple | list) and key.isdecimal() and int(key) < len(result):
        return result[int(key)]
    names: Any = result if isinstance(result, Mapping) else ()
    if isinstance(result, tuple | list):
        names = range(len(result))
    told = f"it gives {listed(map(shown, names))}" if names else f"it gives {type(result).__name__}"
    raise NetworkOutputError(
        f"the network gives nothing called {shown(key)}; {told}: name one of these with --output, "
        "or leave it out"
    )


def _tensor(value: object, key: object) -> Tensor:
    if isinstance(value, Tensor):
        return value
    raise NetworkOutputError(
        f"what the network gives as {shown(key)} is {type(value).__name__}, not class scores; name "
        "a tensor of images × classes with --output KEY"
    )


@torch.inference_mode()
def output_module_of(model: nn.Module, images_BCHW: Tensor) -> str:
    """The path of the module whose input is a network's representation of its images: the last
    one with a weight whose result is the network's, else the last one with a weight that ran.

    The network is run once, in eval mode, and left as it was. Raises NetworkOutputError.
    """
    ended: list[tuple[str, object]] = []

    def hook(path: str) -> Any:
        return lambda module, inputs, result: ended.append((path, result))

    found = [(path, module) for path, module in model.named_modules() if _is_weighted(module)]
    handles = [module.register_forward_hook(hook(path)) for path, module in found]
    was_training = model.training
    try:
        logits_BK = logits_of(model.eval()(images_BCHW))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    if not ended:
        raise NetworkOutputError(
            "no module of the network has a weight and runs, so nothing tells what it takes images "
            "for; give a network of torch.nn's modules"
        )
    makers = [path for path, result in ended if _is_same(result, logits_BK)]
    return makers[-1] if makers else ended[-1][0]


def _is_weighted(module: nn.Module) -> bool:
    """Whether it has a matrix of its own, and no module inside that has numbers."""
    if any(True for child in module.children() for _ in child.parameters()):
        return False
    return any(tensor.dim() > 1 for tensor in module.parameters(recurse=False))


def _is_same(result: object, logits_BK: Tensor) -> bool:
    """Whether the values are the very same, seen perhaps in another shape."""
    if not isinstance(result, Tensor) or result.numel() != logits_BK.numel():
        return False
    return result is logits_BK or result.data_ptr() == logits_BK.data_ptr()
