"""The arguments of a CIFAR ResNet, read off its tensors.

What the family cannot express is refused, with the reason, and never guessed. Not in the tensors
is the layout (strides, what a shortcut without parameters does): it is taken as He et al. have it
here, and tried on images where there are some (`trials.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from torch import Tensor

from engine.checkpoints.build import outline
from engine.checkpoints.errors import ArchitectureError
from engine.checkpoints.masks import refuse_masks
from engine.checkpoints.tensor_names import (
    SHORTCUT_CONV,
    SHORTCUT_NORM,
    THIRD_CONV,
    Place,
    place_of,
    prefixes_of_networks,
)
from engine.checkpoints.tensors import mismatches, shapes_of
from engine.contracts.message_text import listed, shown

REMEDY = (
    "say what makes it with --arch torchvision.models:NAME, timm:NAME or package.module:factory "
    "(docs/networks.md)"
)
_FAMILY = "our CIFAR ResNets"


@dataclass(frozen=True, eq=False)
class Inferred:
    """A network's arguments, its weights under our names, notes for the user, and its family."""

    arguments: dict[str, Any]
    state: dict[str, Tensor]
    notes: tuple[str, ...]
    factory: str = "cifar_resnet"


def infer(state: Mapping[str, Any]) -> Inferred:
    """The CIFAR ResNet that a state dict (wrapper's prefixes gone) belongs to.

    Raises ArchitectureError.
    """
    tensors = _by_place(state)
    _refuse_other_families(tensors)
    numbering, notes = _numbering(tensors)
    arguments = _arguments(tensors, numbering)
    shortcut = arguments["shortcut"]
    names = {place: _our_name(place, numbering, shortcut) for place in tensors}
    renamed = {names[place]: tensor for place, tensor in tensors.items()}
    if any(place.part == SHORTCUT_NORM for place in tensors) and shortcut == "conv":
        _refuse("some shortcuts have a batch norm and others have none")
    given, foreign = shapes_of(renamed), set(renamed) != set(state)
    differences = mismatches(expected_shapes(arguments), given)
    if differences:
        _refuse(f"with {describe(arguments)}, {listed(differences)}")
    if foreign:
        notes.append("renamed the tensors to our names (conv1, layer1.0.conv1, …, fc)")
    return Inferred(arguments, renamed, (f"inferred {describe(arguments)}", *notes))


def describe(arguments: Mapping[str, Any]) -> str:
    """The network in a few words."""
    blocks = "+".join(str(len(widths)) for widths in arguments["inner_widths"])
    widths = "/".join(str(width) for width in arguments["stage_widths"])
    return (
        f"a CIFAR ResNet of {blocks} blocks, {widths} wide, shortcut {arguments['shortcut']}, "
        f"{arguments['num_classes']} classes"
    )


def _by_place(state: Mapping[str, Any]) -> dict[Place, Tensor]:
    places: dict[Place, Tensor] = {}
    unknown: list[str] = []
    for name, tensor in state.items():
        place = place_of(name)
        if place is None:
            unknown.append(name)
        elif place in places:
            _refuse(f"{shown(name)} and another name mean the same tensor")
        else:
            places[place] = tensor
    if unknown:
        _refuse_unknown(unknown, has_blocks=any(place.stage is not None for place in places))
    return places


def _refuse_unknown(unknown: list[str], has_blocks: bool) -> NoReturn:
    refuse_masks(unknown)
    joined = " ".join(unknown)
    if any(word in joined for word in ("attn", "attention", "qkv", "pos_embed", "cls_token")):
        _refuse("it looks like a transformer")
    prefixes = prefixes_of_networks(unknown)
    if len(prefixes) > 1:
        first = prefixes[0]
        raise ArchitectureError(
            f"it holds {len(prefixes)} networks, below {listed(map(shown, prefixes))}; give a file "
            f"of one: {{k.removeprefix({shown(first)}): v for k, v in state.items() "
            f"if k.startswith({shown(first)})}}"
        )
    what = "a ResNet of another kind" if has_blocks else "not a ResNet by its names"
    _refuse(f"{what}: no place for {listed(map(shown, unknown))}")


def _refuse_other_families(tensors: Mapping[Place, Tensor]) -> None:
    for place in tensors:
        if place.part == THIRD_CONV:
            _refuse(
                f"layer{place.stage}.{place.block} has a third convolution, by a name that is not "
                "known of ResNets with bottlenecks"
            )
    stem = tensors.get(Place(None, None, "conv1", "weight"))
    if stem is None or tensors.get(Place(None, None, "fc", "weight")) is None:
        _refuse("it has no first convolution or no classifier by any name that is known")
    if stem.dim() == 4 and tuple(stem.shape[2:]) == (7, 7):
        _refuse(
            "its first convolution is 7×7: this is a ResNet for ImageNet (torchvision's, timm's), "
            f"which {_FAMILY} are not"
        )
    _refuse_other_norms(tensors)


def _refuse_other_norms(tensors: Mapping[Place, Tensor]) -> None:
    """Raises where batch norms are not there, or stand before their convolutions."""
    norms = [place for place in tensors if place.part.startswith("bn")]
    biases = [place for place in tensors if place.part == "conv1" and place.leaf == "bias"]
    if not norms and biases:
        raise ArchitectureError(
            "its batch norms were folded into its convolutions (these have biases, and there is no "
            "batch norm): it cannot be fine-tuned as it was trained. Save the state_dict before "
            "the network is fused, quantised or exported"
        )
    before = [
        place for place, tensor in tensors.items()
        if place.stage is not None and (place.part, place.leaf) == ("bn1", "weight")
        and (conv := tensors.get(Place(place.stage, place.block, "conv1", "weight"))) is not None
        and conv.dim() == 4 and tensor.shape[:1] == conv.shape[1:2] != conv.shape[:1]
    ]  # fmt: skip
    if before:
        place = before[0]
        _refuse(
            f"the batch norm of layer{place.stage}.{place.block} stands before its convolution: "
            f"this is a pre-activation ResNet, which {_FAMILY} are not"
        )
    if not any(place.part == "bn1" and place.stage is None for place in tensors):
        _refuse("no batch norm follows its first convolution, as in a pre-activation ResNet")


Numbering = dict[int, dict[int, int]]  # stage in the file -> block in the file -> block here


def _numbering(tensors: Mapping[Place, Tensor]) -> tuple[Numbering, list[str]]:
    blocks: dict[int, set[int]] = {}
    for place in tensors:
        if place.stage is not None and place.block is not None:
            blocks.setdefault(place.stage, set()).add(place.block)
    stages = sorted(blocks)
    if not stages:
        _refuse("it has no residual blocks by any name that is known")
    if stages != list(range(stages[0], stages[0] + len(stages))):
        _refuse(f"of its stages only {', '.join(map(str, stages))} are there")
    first = min(min(numbers) for numbers in blocks.values())
    notes = []
    for stage in stages:
        numbers = sorted(blocks[stage])
        gaps = sorted(set(range(first, numbers[-1])) - set(numbers))
        if gaps:
            gone = ", ".join(str(g) for g in gaps[:5]) + (", …" if len(gaps) > 5 else "")
            notes.append(
                f"stage {stage} has no block {gone} (removed by pruning?); the others are numbered "
                f"anew, 0 to {len(numbers) - 1}"
            )
    return {s: {b: i for i, b in enumerate(sorted(blocks[s]))} for s in stages}, notes


def _arguments(tensors: Mapping[Place, Tensor], numbering: Numbering) -> dict[str, Any]:
    def sizes(stage: int | None, block: int | None, part: str) -> tuple[int, int]:
        """How many channels a convolution (or the classifier) gives and takes."""
        tensor = tensors.get(Place(stage, block, part, "weight"))
        where = part if stage is None else f"layer{stage}.{block}.{part}"
        if tensor is None:
            _refuse(f"{where} is missing")
        if tensor.dim() not in (2, 4) or 0 in tensor.shape:
            _refuse(f"{where} has the shape {tuple(tensor.shape)}")
        return int(tensor.shape[0]), int(tensor.shape[1])

    stem_width, in_channels = sizes(None, None, "conv1")
    stage_widths = [sizes(stage, min(blocks), "conv2")[0] for stage, blocks in numbering.items()]
    inner_widths = [
        [sizes(stage, block, "conv1")[0] for block in blocks] for stage, blocks in numbering.items()
    ]
    convolutions = [place for place in tensors if place.is_convolution_weight]
    with_bias = [place for place in convolutions if place.bias in tensors]
    if len(with_bias) not in (0, len(convolutions)):
        _refuse(f"{len(with_bias)} of its {len(convolutions)} convolutions have a bias")
    return {
        "stem_width": stem_width,
        "stage_widths": stage_widths,
        "inner_widths": inner_widths,
        "shortcut": _shortcut(tensors, numbering, [stem_width, *stage_widths]),
        "conv_bias": bool(with_bias),
        "num_classes": sizes(None, None, "fc")[0],
        "in_channels": in_channels,
    }


def _shortcut(tensors: Mapping[Place, Tensor], numbering: Numbering, widths: list[int]) -> str:
    """A, B or conv. Raises for shortcuts where the family has none."""
    kinds: dict[str, str] = {}
    for index, (stage, blocks) in enumerate(numbering.items()):
        for block, number in blocks.items():
            parts = {p.part for p in tensors if (p.stage, p.block) == (stage, block)}
            kind = "B" if SHORTCUT_NORM in parts else "conv" if SHORTCUT_CONV in parts else "A"
            where = f"layer{stage}.{block}"
            changes_shape = number == 0 and (index > 0 or widths[0] != widths[1])
            if changes_shape:
                kinds[where] = kind
            elif kind != "A":
                _refuse(
                    f"{where} has a convolution in its shortcut though it does not change the "
                    f"shape, which in {_FAMILY} is the identity"
                )
    if len(set(kinds.values())) > 1:
        _refuse("its shortcuts differ: " + listed(f"{kind} in {at}" for at, kind in kinds.items()))
    return next(iter(kinds.values()), "A")


def _our_name(place: Place, numbering: Numbering, shortcut: str) -> str:
    if place.stage is None or place.block is None:
        return f"{place.part}.{place.leaf}"
    stage = list(numbering).index(place.stage) + 1
    parts = {SHORTCUT_CONV: "shortcut.0", SHORTCUT_NORM: "shortcut.1"} if shortcut == "B" else {
        SHORTCUT_CONV: "shortcut"
    }  # fmt: skip
    part = parts.get(place.part, place.part)
    return f"layer{stage}.{numbering[place.stage][place.block]}.{part}.{place.leaf}"


def expected_shapes(arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of a CIFAR ResNet's tensors, without the memory for them."""
    return shapes_of(outline("cifar_resnet", arguments).state_dict())


def _refuse(why: str) -> NoReturn:
    raise ArchitectureError(f"no CIFAR ResNet can be inferred: {why}; {REMEDY}")
