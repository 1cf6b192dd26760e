"""Batch norms folded into the convolutions before them: the same function, in fewer steps."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._pytree import tree_leaves

from engine.models.cifar_resnet import CifarResNet
from engine.runtime.device import device_of
from engine.runtime.dispatch import OperationMode
from engine.tasks import Inputs
from engine.tasks.batch import mapped, run_on


def for_inference(model: nn.Module, example: Inputs) -> nn.Module:
    """A copy of `model` for inference, each batch norm made part of a convolution where it can be,
    as an example of its inputs shows."""
    if isinstance(model, CifarResNet):
        return fold_batchnorm(model)
    folded, device = copy.deepcopy(model).eval(), device_of(model)
    fold_found(folded, mapped(example, lambda tensor: tensor.to(device)))
    return folded


def fold_found(network: nn.Module, example: Inputs) -> None:
    """Makes batch norms part of convolutions in a network that is the caller's own."""
    for conv, norm in foldable_pairs(network, example):
        # The modules stay in their places: a network may hold them by several names.
        fused = fuse_conv_bn_eval(conv, norm)
        conv.weight, conv.bias = fused.weight, fused.bias
        setattr(norm, "forward", _as_it_is)  # noqa: B010 - a method, to mypy


def _as_it_is(x_BCHW: Tensor) -> Tensor:
    return x_BCHW


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """A copy of a CIFAR ResNet for inference: every conv1/bn1, conv2/bn2 pair made one convolution.

    Pairs are found as (`conv…`, `bn…`) siblings of equal suffix and as neighbours in a Sequential:
    so they stand in that family; in others a sibling may be another convolution's.
    """
    folded = copy.deepcopy(model).eval()
    for parent in list(folded.modules()):
        children = dict(parent.named_children())
        for name, child in children.items():
            if not isinstance(child, nn.Conv2d):
                continue
            partner = _partner_name(parent, name)
            norm = children.get(partner) if partner else None
            if partner and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(child, norm))
                setattr(parent, partner, nn.Identity())
    return folded.to(memory_format=torch.channels_last)


def _partner_name(parent: nn.Module, name: str) -> str | None:
    if isinstance(parent, nn.Sequential) and name.isdigit():
        return str(int(name) + 1)
    return name.replace("conv", "bn", 1) if name.startswith("conv") else None


@torch.no_grad()
def foldable_pairs(model: nn.Module, example: Inputs) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Each convolution whose result goes to a batch norm and nowhere else, with that batch norm.

    Found by running the network once, as it is, and looking where results go: names tell nothing.
    What runs more than once, shares its numbers, has hooks or is of a class of its own (a
    standardised convolution, a batch norm with an activation) is left as it is.
    """
    watch = _Watch()
    with _hooks(model, watch), watch:
        returned = tree_leaves(run_on(model, example))
    return watch.pairs({id(leaf) for leaf in returned})


class _Watch(OperationMode):
    """Sees which operations take a tensor, and which modules made and got it."""

    def __init__(self) -> None:
        super().__init__()
        self.uses: Counter[int] = Counter()  # of a tensor, by its id
        self.made: list[tuple[nn.Conv2d, Tensor]] = []  # kept: no other tensor gets such an id
        self.norms: dict[int, nn.BatchNorm2d] = {}  # by the id of what they got

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        taken = {id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        self.uses.update(taken)
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if id(made) not in taken:  # a new tensor, perhaps by the id of one that is gone
                self.uses[id(made)] = 0
                self.norms.pop(id(made), None)
        return result

    def see_result(self, conv: nn.Module, _: Any, result: Tensor) -> None:
        """A forward hook of convolutions."""
        assert isinstance(conv, nn.Conv2d)
        self.made.append((conv, result))

    def see_input(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """A forward pre-hook of batch norms."""
        assert isinstance(norm, nn.BatchNorm2d)
        if inputs:
            self.norms[id(inputs[0])] = norm

    def pairs(self, returned: set[int]) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """The pairs that were seen; what the network returns is used by whoever called it."""
        found = []
        for conv, result in self.made:
            norm = self.norms.get(id(result))
            if norm is None or id(result) in returned or self.uses[id(result)] != 1:
                continue
            numbers = (*conv.parameters(), *norm.parameters(), norm.running_mean, norm.running_var)
            if all(self.uses[id(number)] == 1 for number in numbers):
                found.append((conv, norm))
        return found


@contextmanager
def _hooks(model: nn.Module, watch: _Watch) -> Iterator[None]:
    plain = [module for module in model.modules() if not _is_hooked(module)]
    handles = [m.register_forward_hook(watch.see_result) for m in plain if type(m) is nn.Conv2d]
    handles += [
        m.register_forward_pre_hook(watch.see_input)
        for m in plain
        if type(m) is nn.BatchNorm2d and m.running_mean is not None
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_hooked(module: nn.Module) -> bool:
    """Whether somebody looks at what it gets or gives, or changes it (weight norm does)."""
    return bool(module._forward_hooks or module._forward_pre_hooks)
