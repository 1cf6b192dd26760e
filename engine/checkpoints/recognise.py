"""Networks of the families for small images, recognised by names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from torch import Tensor

from engine.checkpoints.build import outline
from engine.checkpoints.errors import ArchitectureError
from engine.checkpoints.infer_resnet import REMEDY, Inferred
from engine.checkpoints.masks import refuse_masks
from engine.checkpoints.tensors import mismatches, shapes_of
from engine.contracts.message_text import listed, shown
from engine.models.families import RECOGNISED, Family, NotOfFamilyError

LEAST_KNOWN = 0.8  # of the names: with fewer it is not said to look like a family


def recognised(state: Mapping[str, Tensor]) -> Inferred | None:
    """The network of a family that a state dict (wrapper's prefixes gone) belongs to, None where it
    looks like none. Raises ArchitectureError where it looks like one and is not.
    """
    for name, family in RECOGNISED.items():
        ours = family.rename(list(state))
        renamed = {ours[key]: tensor for key, tensor in state.items() if key in ours}
        if len(ours) >= LEAST_KNOWN * len(state) and family.looks(shapes_of(renamed)):
            return _inferred(name, family, state, ours, renamed)
    return None


def _inferred(
    name: str,
    family: Family,
    state: Mapping[str, Tensor],
    ours: Mapping[str, str],
    renamed: dict[str, Tensor],
) -> Inferred:
    unknown = [key for key in state if key not in ours]
    if unknown:
        refuse_masks(unknown)
        _refuse(family, f"has no place for {listed(map(shown, unknown))}")
    if len(renamed) != len(state):
        _refuse(family, "two of its names mean the same tensor")
    shapes = shapes_of(renamed)
    _refuse_folded(shapes)
    try:
        arguments = family.infer(shapes)
    except NotOfFamilyError as error:
        _refuse(family, str(error), error.remedy)
    differences = mismatches(shapes_of(outline(name, arguments).state_dict()), shapes)
    if differences:
        _refuse(family, f"as {family.describe(arguments)}, {listed(differences)}")
    notes = [f"inferred {family.describe(arguments)}"]
    if set(renamed) != set(state):
        notes.append("renamed the tensors to our names")
    return Inferred(arguments, renamed, tuple(notes), name)


def _refuse_folded(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises where batch norms were folded away; a VGG may never have had any."""
    has_norms = any(name.endswith("running_mean") for name in shapes)
    if not has_norms and not any(name.startswith("features.") for name in shapes):
        raise ArchitectureError(
            "its batch norms were folded into its convolutions, or never there: it cannot be "
            "fine-tuned as it was trained. Save the state_dict before the network is fused, "
            "quantised or exported"
        )


def _refuse(family: Family, why: str, remedy: str = "") -> NoReturn:
    raise ArchitectureError(f"it looks like {family.words}, but {why}; {remedy or REMEDY}")
