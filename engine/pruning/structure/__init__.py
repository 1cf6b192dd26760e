"""What can be removed from a network: blocks and groups of units (engine.contracts.structure)."""

from __future__ import annotations

from torch import nn

from engine.contracts.errors import EngineError
from engine.contracts.structure import NetworkStructure
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.structure.cifar_resnet import structure_of_cifar_resnet


def structure_of(model: nn.Module) -> NetworkStructure:
    """The structure of a network of a known family. Raises EngineError for any other."""
    if not isinstance(model, CifarResNet):
        raise EngineError(
            f"{type(model).__name__} is not a network whose structure is known; "
            "CIFAR ResNets are (see docs/networks.md)"
        )
    return structure_of_cifar_resnet(model)
