"""A network that is to be the root of a tree, before it is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from engine.checkpoints import LoadedNetwork
from engine.checkpoints.build import check_same_function
from engine.contracts.doubts import Doubt
from engine.contracts.errors import EngineError, UnknownFamilyError
from engine.contracts.events import NetworkRead
from engine.contracts.networks import Architecture, DataDescription
from engine.contracts.references import is_reference
from engine.models import FAMILIES
from engine.models.cifar_resnet import CifarResNet, arguments_of
from engine.models.preparations import OUTPUT, PREPARATIONS, TOLD, prepare
from engine.tasks import Task


@dataclass(frozen=True, eq=False)
class Root:
    """A network with what it is for, and what was seen on the way to it.

    `untrained` is the doubt about a network that guesses, of which nothing else need be said.
    """

    loaded: LoadedNetwork
    model: nn.Module
    architecture: Architecture
    task: Task
    about: DataDescription
    data_name: str | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    untrained: Doubt | None = None


def check_reference(reference: str) -> None:
    """Raises UnknownFamilyError for a name that random weights cannot be made by."""
    if not is_reference(reference):
        raise UnknownFamilyError(
            "--random-weights are for networks by reference, such as torchvision.models:resnet18; "
            f"{reference!r} is none"
        )


def untrained_doubt(reference: str) -> Doubt:
    """That a network guesses, as was asked for."""
    return Doubt("untrained", f"{reference} has random weights (--random-weights): it guesses")


def prepared(architecture: Architecture, model: nn.Module, output: str | None) -> Architecture:
    """With modules that cannot be pruned replaced by equal ones; in place, before any edit."""
    if output is not None and (isinstance(model, CifarResNet) or architecture.edits):
        raise EngineError(
            "the network was opened here before, or has one output: leave --output out"
        )
    if isinstance(model, CifarResNet) or architecture.edits:
        return architecture
    return with_output(_with(architecture, model, tuple(PREPARATIONS)), model, output)[0]


def with_output(
    architecture: Architecture, model: nn.Module, output: str | None
) -> tuple[Architecture, nn.Module]:
    """With that one of several outputs for its only one; in place."""
    if output is not None:
        architecture = _with(architecture, model, [OUTPUT + output])
    return architecture, model


def _with(architecture: Architecture, model: nn.Module, names: Sequence[str]) -> Architecture:
    """The architecture of a network to which these preparations were done, in place."""
    done = prepare(model, names)
    new = tuple(name for name in done if name not in architecture.prepared)
    return replace(architecture, prepared=(*architecture.prepared, *new))


def told_of_preparations(architecture: Architecture) -> tuple[str, ...]:
    """What a person should know of what was done to a network before its first edit."""
    if architecture.edits:  # which it has been told
        return ()
    return tuple(TOLD[name] for name in architecture.prepared if name in TOLD)


def known_architecture(loaded: LoadedNetwork) -> Architecture:
    """The architecture; a person's CIFAR ResNet is one of our family, whose code needs no leave."""
    if loaded.architecture.factory in FAMILIES or not isinstance(loaded.model, CifarResNet):
        return loaded.architecture
    architecture = Architecture("cifar_resnet", arguments_of(loaded.model))
    check_same_function(loaded.model, architecture)
    return architecture


def network_read(architecture: Architecture) -> NetworkRead:
    """What a network says that it takes, for who waits for it."""
    told = architecture.arguments
    channels, classes = told.get("in_channels", told.get("in_chans")), told.get("num_classes")
    return NetworkRead(
        channels if isinstance(channels, int) else None,
        classes if isinstance(classes, int) else None,
    )
