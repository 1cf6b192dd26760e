"""Network families: a factory name and its arguments make a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from engine.contracts.errors import UnknownFamilyError
from engine.contracts.networks import Architecture
from engine.contracts.references import library_of
from engine.models.cifar_resnet import CifarResNet, arguments_of_depth
from engine.models.libraries import factory_of
from engine.models.user_modules import import_factory, users_modules_first

FAMILIES: dict[str, Callable[..., nn.Module]] = {"cifar_resnet": CifarResNet}


def build(factory: str, arguments: Mapping[str, Any], *, seed: int = 0) -> nn.Module:
    """A freshly initialised network: of a family (`cifar_resnet`), of a library's registry
    (`torchvision.models:resnet18`, `timm:resnet18`) or of `package.module:factory`.

    The global random state is left as it was. Raises UnknownFamilyError.
    """
    make = FAMILIES.get(factory)
    if make is None and library_of(factory) is not None:
        make = factory_of(factory)
    if make is not None:
        return _made(make, arguments, seed)
    module_name, _, attribute = factory.partition(":")
    if not attribute:
        raise UnknownFamilyError(
            f"{factory!r} is neither a family ({', '.join(FAMILIES)}), nor "
            "'torchvision.models:NAME', 'timm:NAME' or 'package.module:factory'"
        )
    with users_modules_first(module_name):
        return _made(import_factory(factory), arguments, seed)


def _made(make: Callable[..., nn.Module], arguments: Mapping[str, Any], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPU too
        return make(**arguments)


def architecture_of_name(name: str, **arguments: Any) -> Architecture:
    """The architecture that a short name such as `resnet56` stands for.

    Raises UnknownFamilyError for a name that no family knows.
    """
    match = re.fullmatch(r"resnet-?(\d+)", name.strip().lower())
    if not match:
        raise UnknownFamilyError(
            f"no network is called {name!r}; use resnet20, resnet32, resnet44, resnet56, "
            "resnet110 (any depth 6n+2)"
        )
    return Architecture("cifar_resnet", arguments_of_depth(int(match[1]), **arguments))
