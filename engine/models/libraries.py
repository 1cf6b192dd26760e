"""Networks of torchvision's, timm's and transformers' registries: a name and bounded arguments.

A store or a checkpoint may name them unasked, since no other code runs: names are looked up in the
registry, arguments are numbers, and no weights are ever fetched.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from torch import nn

from engine.contracts.errors import UnknownFamilyError
from engine.contracts.message_text import plain, shown
from engine.contracts.near import did_you_mean
from engine.contracts.references import (
    TIMM,
    TORCHVISION,
    TRANSFORMERS,
    library_of,
    name_of,
)
from engine.models.hugging_face import check_config, of_transformers
from engine.models.user_modules import user_folder

Scaling = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation

# What may be said of a network, and its least and largest value.
_BOUNDS: dict[str, dict[str, tuple[int, int]]] = {
    TORCHVISION: {"num_classes": (1, 100_000), "image_size": (8, 4096), "aux_logits": (0, 1)},
    TIMM: {"num_classes": (1, 100_000), "in_chans": (1, 64), "img_size": (8, 4096)},
}
# What libraries raise at numbers that do not fit together.
_MAKING_ERRORS = (
    TypeError,
    ValueError,
    RuntimeError,
    AttributeError,
    AssertionError,
    LookupError,
    ArithmeticError,
)
# Their initialisation has changed since, which they warn of unless told.
_ALWAYS = {"googlenet": {"init_weights": True}, "inception_v3": {"init_weights": True}}


def factory_of(reference: str) -> Callable[..., nn.Module]:
    """What makes a network of a registry; called with its arguments. Raises UnknownFamilyError."""
    library, name = library_of(reference), name_of(reference)
    if library == TRANSFORMERS:
        make = of_transformers(name)
    else:
        make = _of_timm(name) if library == TIMM else _of_torchvision(name)

    def checked(**arguments: Any) -> nn.Module:
        _check_arguments(reference, arguments)
        try:
            return make(**{**_ALWAYS.get(name, {}), **arguments})
        except _MAKING_ERRORS as error:
            raise UnknownFamilyError(
                f"{reference} cannot be made with {shown(arguments)} "
                f"({type(error).__name__}: {plain(str(error))}); leave those out, or give a "
                "factory of your own (package.module:factory)"
            ) from error

    return checked


def scaling_of(reference: str) -> Scaling | None:
    """How a registry says that the images of its own weights were scaled; None where it doesn't."""
    if library_of(reference) == TRANSFORMERS:
        return None
    if library_of(reference) == TIMM:
        from timm.models import get_pretrained_cfg

        config = get_pretrained_cfg(name_of(reference))
        return None if config is None else (tuple(config.mean), tuple(config.std))
    from torchvision import models

    weights = models.get_model_weights(name_of(reference))
    for each in weights:
        preset = each.transforms()
        return tuple(preset.mean), tuple(preset.std)
    return None


def sizes_of(reference: str) -> tuple[int, int] | None:
    """How a registry evaluates its own weights: the pixels that are cut out, and the shorter side
    before that; None where it doesn't say."""
    if library_of(reference) == TRANSFORMERS:
        return None
    if library_of(reference) == TIMM:
        from timm.models import get_pretrained_cfg

        config = get_pretrained_cfg(name_of(reference))
        if config is None:
            return None
        size = int(config.input_size[-1])
        return size, max(size, int(size / config.crop_pct))
    from torchvision import models

    for each in models.get_model_weights(name_of(reference)):
        preset = each.transforms()
        return int(preset.crop_size[0]), int(preset.resize_size[0])
    return None


def default_arguments(model: nn.Module, reference: str) -> dict[str, int]:
    """The numbers of classes and channels with which a registry made a network, where it tells."""
    if library_of(reference) == TORCHVISION:
        return {"num_classes": 1000}
    if library_of(reference) == TRANSFORMERS:
        return {}
    told = {"num_classes": getattr(model, "num_classes", None), "in_chans": 3}
    return {name: value for name, value in told.items() if isinstance(value, int)}


def weight_urls(reference: str, name: str | None = None) -> dict[str, str]:
    """Where torchvision's own weights of a network lie, by what they are called in its cache: the
    best ones first, or those of a name (`IMAGENET1K_V2`). Raises UnknownFamilyError."""
    if library_of(reference) != TORCHVISION:
        return {}
    from torchvision import models

    factory_of(reference)
    weights = models.get_model_weights(name_of(reference))
    best = getattr(weights, "DEFAULT", None)
    known = {each.name: each.url for each in sorted(weights, key=lambda each: each != best)}
    if name is not None and name not in weights.__members__:
        raise UnknownFamilyError(
            f"torchvision has no weights {shown(name)} of {name_of(reference)}; it has "
            f"{', '.join(known) or 'none'}"
        )
    urls = known.values() if name is None else [weights[name].url]
    return {url.rpartition("/")[2]: url for url in urls}


def _of_torchvision(name: str) -> Callable[..., nn.Module]:
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise UnknownFamilyError(
            f"torchvision has no classification network {shown(name)}; "
            f"{did_you_mean(name, names)}python -c 'import torchvision; "
            "print(torchvision.models.list_models(module=torchvision.models))' lists them"
        )

    def make(**arguments: Any) -> nn.Module:
        made: nn.Module = models.get_model(name, weights=None, **arguments)
        return made

    return make


def _of_timm(name: str) -> Callable[..., nn.Module]:
    timm = _timm()
    names = timm.list_models()
    if name.partition(".")[0] not in names:
        raise UnknownFamilyError(
            f"timm has no network {shown(name)}; {did_you_mean(name, names)}"
            "python -c 'import timm; print(timm.list_models())' lists them"
        )

    def make(**arguments: Any) -> nn.Module:
        made: nn.Module = timm.create_model(name, pretrained=False, **arguments)
        return made

    return make


def _timm() -> ModuleType:
    """timm as it is installed; a `timm.py` of somebody's in the current folder is not it."""
    folder = user_folder()
    places = [place for place in sys.path if place and place != folder]
    if importlib.machinery.PathFinder.find_spec(TIMM, places) is None:
        raise UnknownFamilyError(
            "timm is not installed here; put it beside pe-explore: pip install timm"
        )
    return importlib.import_module(TIMM)


def _check_arguments(reference: str, arguments: Mapping[str, Any]) -> None:
    if library_of(reference) == TRANSFORMERS:
        return check_config(arguments)
    bounds = _BOUNDS[library_of(reference) or TORCHVISION]
    for name, value in arguments.items():
        if name not in bounds:
            raise UnknownFamilyError(
                f"{reference} takes no {shown(name)} here; it takes {', '.join(bounds)}"
            )
        low, high = bounds[name]
        if not isinstance(value, int) or not low <= value <= high:
            raise UnknownFamilyError(
                f"{name} of {reference} is {shown(value)}; it is a whole number from {low} to "
                f"{high:,}"
            )
