"""Network families: a factory name and its arguments make a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import nn

from engine.contracts.errors import SettingsError, UnknownFamilyError
from engine.contracts.json_values import JsonObject, JsonValue
from engine.contracts.networks import Architecture
from engine.contracts.references import library_of
from engine.contracts.short_names import short_name
from engine.models.cifar_resnet import CifarResNet, arguments_of_depth
from engine.models.exported import ExportedProgram
from engine.models.families import (
    RECOGNISED,
    bottleneck_resnet,
    densenet,
    mobilenet_v2,
    preact_resnet,
    vgg,
)
from engine.models.libraries import factory_of
from engine.models.unwrapping import unwrapped
from engine.models.user_modules import import_factory, users_modules_first

_Named: TypeAlias = Callable[..., Architecture]
PROGRAM = "exported_program"
FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "cifar_resnet": CifarResNet,
    PROGRAM: ExportedProgram,
    **{name: family.make for name, family in RECOGNISED.items()},
}


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
        made = _made(import_factory(factory), arguments, seed)
    return unwrapped(made, factory) if isinstance(made, nn.Module) else made


def _made(make: Callable[..., nn.Module], arguments: Mapping[str, Any], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPU too
        return make(**arguments)


def architecture_of_name(name: str, **arguments: Any) -> Architecture:
    """The architecture that a short name such as `resnet56` or `vgg16-bn` stands for.

    `arguments` are those that the name does not tell: of a CIFAR ResNet those of
    `arguments_of_depth`, of any other the numbers of classes and of channels. Raises
    UnknownFamilyError for a name that no family knows.
    """
    try:
        named = short_name(name)
    except SettingsError as error:
        raise UnknownFamilyError(str(error)) from error
    return _NAMED[named.kind](*named.numbers, **arguments)


def open_arguments(family: str) -> tuple[str, ...]:
    """The arguments of a family's networks that no short name tells."""
    ends = ("num_classes", "in_channels")
    if family not in RECOGNISED:
        return ("shortcut", "conv_bias", *ends)
    return (*RECOGNISED[family].open, *ends)


def _of_resnet(depth: int, **arguments: Any) -> Architecture:
    return Architecture("cifar_resnet", arguments_of_depth(depth, **arguments))


def _of_resnet_cifar(depth: int, num_classes: int = 10, in_channels: int = 3) -> Architecture:
    """kuangliu's and others': four stages from 64 channels, bottlenecks from depth 50 on."""
    if depth in bottleneck_resnet.DEPTHS:
        told = bottleneck_resnet.of_depth(depth, num_classes, in_channels)
        return Architecture("cifar_bottleneck_resnet", told)
    blocks, widths = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}[depth], [64, 128, 256, 512]
    return Architecture("cifar_resnet", {
        "stem_width": 64, "stage_widths": widths,
        "inner_widths": [[width] * n for width, n in zip(widths, blocks, strict=True)],
        "shortcut": "B", "conv_bias": False, "num_classes": num_classes,
        "in_channels": in_channels,
    })  # fmt: skip


def _of_recognised(
    family: str, arguments_of: Callable[..., JsonObject], **fixed: JsonValue
) -> _Named:
    def named(*numbers: int, num_classes: int = 10, in_channels: int = 3) -> Architecture:
        told = arguments_of(*numbers, num_classes, in_channels)
        return Architecture(family, {**told, **fixed})

    return named


_NAMED: dict[str, _Named] = {
    "resnet": _of_resnet,
    "resnet-cifar": _of_resnet_cifar,
    "wide-resnet": _of_recognised("cifar_preact_resnet", preact_resnet.of_width),
    "preact-resnet": _of_recognised("cifar_preact_resnet", preact_resnet.of_depth),
    "vgg": _of_recognised("cifar_vgg", vgg.of_depth, batch_norm=False),
    "vgg-bn": _of_recognised("cifar_vgg", vgg.of_depth),
    "densenet": _of_recognised("cifar_densenet", densenet.of_depth),
    "mobilenet-v2": _of_recognised("cifar_mobilenet_v2", mobilenet_v2.usual),
}
