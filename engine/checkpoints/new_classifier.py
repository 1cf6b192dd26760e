"""A trained network for other classes: every tensor but those of its classifier is kept."""

from __future__ import annotations

from torch import nn

from engine.checkpoints.errors import ArchitectureError
from engine.contracts.message_text import listed, shown
from engine.contracts.networks import Architecture
from engine.models import build
from engine.models.preparations import prepare

_ARGUMENTS = ("num_classes", "num_labels")  # by which a factory is told


def is_told_classes(architecture: Architecture) -> bool:
    """Whether the network is made for as many classes as its factory is told."""
    return any(name in architecture.arguments for name in _ARGUMENTS)


def with_classes(
    architecture: Architecture, model: nn.Module, num_classes: int, seed: int
) -> tuple[Architecture, nn.Module, str]:
    """The same network for so many classes, and in words what is new in it.

    What belongs to the classifier begins random. Raises ArchitectureError where that cannot be:
    the network was pruned, or is made by a function that says its classes itself.
    """
    told = [name for name in _ARGUMENTS if name in architecture.arguments]
    if architecture.edits or not told:
        what = "was pruned" if architecture.edits else "says itself how many classes it knows"
        raise ArchitectureError(
            f"the network {what}, so it cannot be made anew for {num_classes} classes; give data "
            "of the classes that it knows, or the network as it was before"
        )
    arguments = {**architecture.arguments, told[0]: num_classes}
    new = build(architecture.factory, arguments, seed=seed)
    own, known = new.state_dict(), model.state_dict()
    kept = {n: v for n, v in known.items() if n in own and own[n].shape == v.shape}
    new.load_state_dict({**own, **kept})
    prepare(new, architecture.prepared)
    random = listed(shown(name) for name in own if name not in kept)
    note = f"the classifier is new, for {num_classes} classes: {random} begin random"
    return (
        Architecture(architecture.factory, arguments, (), architecture.prepared),
        new.eval(),
        note,
    )
