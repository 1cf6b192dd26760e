"""A state dict put into the network that was named: of a registry, or of a person's factory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.checkpoints.build import from_factory
from engine.checkpoints.errors import ArchitectureError
from engine.checkpoints.state_dict import strippings
from engine.checkpoints.tensors import (
    as_weights,
    check_shapes,
    is_counter,
    load_strictly,
    mismatches,
    shapes_of,
)
from engine.contracts.message_text import listed, shown
from engine.contracts.networks import Architecture
from engine.contracts.references import TIMM, TRANSFORMERS, library_of, name_of
from engine.models.hugging_face import (
    CONFIG_NAME,
    config_beside,
    no_classifier,
    saved_class,
    with_saved,
)
from engine.models.libraries import default_arguments

Shapes = Mapping[str, tuple[int, ...]]
Fitted = tuple[Architecture, nn.Module, tuple[str, ...]]


def into_factory(reference: str, state: Mapping[str, Any], path: Path) -> Fitted:
    """The network of a reference with the weights of a state dict, loaded strictly.

    `path` is where they lie: a configuration of transformers is beside it. Prefixes of wrappers are
    taken off. Raises UnknownFamilyError, ArchitectureError.
    """
    if library_of(reference) == TRANSFORMERS:
        return _into_transformers(reference, state, path)
    model = from_factory(reference)
    # The network's own names may begin like a wrapper's, so the closest stripping is taken.
    expected = shapes_of(model.state_dict())
    candidates = list(strippings(state))
    closest, notes = min(candidates, key=lambda c: len(mismatches(expected, shapes_of(c[0]))))
    arguments: dict[str, int] = {}
    if library_of(reference) is not None:
        arguments = _arguments(model, reference, shapes_of(closest))
        if arguments:
            model = from_factory(reference, arguments)
            notes = (*notes, _told(reference, arguments))
    own = model.state_dict()
    weights, type_notes = as_weights(
        closest, lambda name: name not in own or not own[name].is_floating_point()
    )
    what, remedy = f"the network of {reference}", "give the network that they come from"
    if library_of(reference) is None or not _reads(model, weights):
        check_shapes(model, weights, what, remedy)
    # A registry's network may read names of an older version of its library.
    return Architecture(reference, arguments), load_strictly(model, weights), notes + type_notes


def _into_transformers(reference: str, state: Mapping[str, Any], path: Path) -> Fitted:
    """An image classifier as transformers saved it, by the configuration beside its weights."""
    config = config_beside(path)
    model = from_factory(reference, config)
    own = model.state_dict()
    weights, notes = as_weights(
        state, lambda name: name not in own or not own[name].is_floating_point()
    )
    loaded, differences = with_saved(model, weights)
    if differences:
        kind = name_of(reference)
        if words := no_classifier(kind, saved_class(path)):
            raise ArchitectureError(words)
        raise ArchitectureError(
            f"the tensors do not fit the network of {CONFIG_NAME} ({len(differences)} differences):"
            f" {listed(map(shown, differences))}; give the folder as transformers saved it"
        )
    return Architecture(reference, config), loaded.to(torch.float32).eval(), notes


def _reads(model: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    counters = {n: v for n, v in model.state_dict().items() if is_counter(n)}
    try:
        model.load_state_dict({**counters, **weights}, strict=True)
    except (RuntimeError, KeyError, TypeError, ValueError):
        return False
    return True


def _arguments(model: nn.Module, reference: str, given: Shapes) -> dict[str, int]:
    """With how many classes and channels a registry's network has tensors as these are."""
    expected = shapes_of(model.state_dict())
    usual = default_arguments(model, reference)
    found = {}
    for name, default in usual.items():
        axis = 0 if name == "num_classes" else 1
        others = _other_sizes(expected, given, axis, default)
        if len(others) == 1:
            found[name] = others.pop()
    # The number of classes is always told: a later version of a library may have another default.
    return {"num_classes": usual["num_classes"], **found} if "num_classes" in usual else found


def _other_sizes(expected: Shapes, given: Shapes, axis: int, default: int) -> set[int]:
    """What stands in the place of a default size in tensors that differ by nothing else."""
    sizes = set()
    for name, shape in expected.items():
        other = given.get(name, ())
        if len(other) != len(shape) or len(shape) <= axis or shape[axis] != default:
            continue
        rest = [pair for k, pair in enumerate(zip(shape, other, strict=True)) if k != axis]
        if shape[axis] != other[axis] and all(a == b for a, b in rest):
            sizes.add(other[axis])
    return sizes


def _told(reference: str, arguments: Mapping[str, int]) -> str:
    words = {"num_classes": "classes", "in_chans": "channels"}
    told = ", ".join(f"{value} {words[name]}" for name, value in arguments.items())
    library = "timm" if library_of(reference) == TIMM else "torchvision"
    return f"took it for {library}'s {name_of(reference)} with {told}"


def untrained(
    reference: str, num_classes: int, channels: int, *, seed: int = 0
) -> tuple[Architecture, nn.Module]:
    """A network with random weights for so many classes; a person's factory says that itself."""
    arguments = {}
    if library_of(reference) is not None:
        arguments["num_classes"] = num_classes
    if library_of(reference) == TIMM and channels != 3:
        arguments["in_chans"] = channels
    model = from_factory(reference, arguments, seed=seed)
    return Architecture(reference, arguments), model.to("cpu", torch.float32).eval()
