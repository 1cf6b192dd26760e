"""Edits of any network: made of what goes, carried out, and carried out again from data alone."""

from __future__ import annotations

from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.errors import EditError
from engine.contracts.networks import Architecture
from engine.models import build
from engine.models.cifar_resnet import CifarResNet
from engine.models.preparations import prepare
from engine.pruning.explicit import explicit
from engine.pruning.structure import structure_of
from engine.pruning.surgery import carry_out

__all__ = ["apply", "explicit", "rebuild"]


def apply(edit: Edit, model: nn.Module, *, share: bool = False) -> nn.Module:
    """A copy of `model` without what the edit removes; smaller tensors, no masks. With `share` it
    has the model's own tensors where they stay: to be looked at only.

    An edit of a CIFAR ResNet says only what goes: what that means is read off its modules. Raises
    EditError for paths and indices that the model does not have, and for edits that would leave
    nothing to compute with.
    """
    if edit.is_explicit:
        if isinstance(model, CifarResNet):
            raise EditError(
                "an edit of a CIFAR ResNet says what goes, not how; this one is of another"
            )
        return carry_out(edit, model, share=share)
    return carry_out(explicit(edit, structure_of(model)), model, share=share)


def rebuild(architecture: Architecture, *, seed: int = 0) -> nn.Module:
    """The network that an architecture describes, untrained: its weights are drawn for the whole
    network, then cut.

    Raises UnknownFamilyError, EditError, and EngineError for a preparation that nobody knows.
    """
    model = build(architecture.factory, architecture.arguments, seed=seed)
    prepare(model, architecture.prepared)
    for edit in architecture.edits:
        model = apply(edit, model)
    return model
