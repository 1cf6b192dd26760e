"""How public repositories name the tensors of a CIFAR ResNet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SHORTCUT_CONV = "shortcut_conv"
SHORTCUT_NORM = "shortcut_norm"
THIRD_CONV = "conv3"  # of a bottleneck block, which is recognised only to be refused


@dataclass(frozen=True)
class Place:
    """What a tensor is: stage and block (None in stem and classifier, numbered as in the file),
    the part (`conv1`, `bn1`, …, `fc`) and the leaf (`weight`, …)."""

    stage: int | None
    block: int | None
    part: str
    leaf: str

    @property
    def is_convolution_weight(self) -> bool:
        return self.leaf == "weight" and self.part in ("conv1", "conv2", SHORTCUT_CONV)

    @property
    def bias(self) -> Place:
        return Place(self.stage, self.block, self.part, "bias")


_LEAF = r"\.(?P<leaf>weight|bias|running_mean|running_var|num_batches_tracked)"

_OUTSIDE_BLOCKS = {
    "conv1": r"conv|conv0|conv1|conv_1|conv_1_3x3|conv1\.0|init_conv|"
    r"stem\.(0|conv|conv1)|features\.init_block\.conv",
    "bn1": r"bn|bn0|bn1|bn_1|norm|norm1|conv1\.1|init_bn|"
    r"stem\.(1|bn|bn1|norm)|features\.init_block\.bn",
    "fc": r"fc|linear|classifier|head|output|(classifier|head)\.(0|fc|linear)",
}

# layer1.0  stage_1.0  stages.0.0  layers.1.0  stage1.block1  features.stage1.unit1  conv2_x.0
_BLOCK = (
    r"(?:features\.)?(?:(?:layer|stage|group)[_.]?|(?:layers|stages|groups)\.|conv(?=\d+_x))"
    r"(?P<stage>\d{1,4})(?:_x)?\.(?:blocks\.)?(?:unit|block)?_?(?P<block>\d{1,4})\."
)
_SHORTCUT = r"(shortcut|downsample|skip|skip_connection|identity_conv|projection)"
_INSIDE_BLOCKS = {
    "conv1": r"conv1|conv_a|conv_1|(body\.)?conv1\.conv|residual(_function)?\.0",
    "bn1": r"bn1|bn_a|bn_1|norm1|(body\.)?conv1\.bn|residual(_function)?\.1",
    "conv2": r"conv2|conv_b|conv_2|(body\.)?conv2\.conv|residual(_function)?\.3",
    "bn2": r"bn2|bn_b|bn_2|norm2|(body\.)?conv2\.bn|residual(_function)?\.4",
    SHORTCUT_CONV: rf"{_SHORTCUT}(\.(0|conv|conv1))?",
    SHORTCUT_NORM: rf"{_SHORTCUT}\.(1|bn|bn1|norm)",
    THIRD_CONV: r"conv3|conv_c|conv_3|(body\.)?conv3\.conv|residual(_function)?\.6",
    "bn3": r"bn3|bn_c|bn_3|norm3|(body\.)?conv3\.bn|residual(_function)?\.7",
}

_PATTERNS = [
    *((part, re.compile(f"(?:{names}){_LEAF}")) for part, names in _OUTSIDE_BLOCKS.items()),
    *((part, re.compile(f"{_BLOCK}(?:{names}){_LEAF}")) for part, names in _INSIDE_BLOCKS.items()),
]


def place_of(name: str) -> Place | None:
    """What the tensor of this name is, or None where the name is of no known style."""
    for part, pattern in _PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            stage, block = (match.groupdict().get(group) for group in ("stage", "block"))
            return Place(
                None if stage is None else int(stage),
                None if block is None else int(block),
                part,
                match["leaf"],
            )
    return None


def prefixes_of_networks(names: Iterable[str]) -> list[str]:
    """The first parts of the names (`student.`) behind each of which only tensors of known names
    stand, a classifier and a block among them."""
    below: dict[str, list[Place | None]] = {}
    for name in names:
        first, dot, rest = name.partition(".")
        below.setdefault(first + dot, []).append(place_of(rest))
    return [
        prefix
        for prefix, places in below.items()
        if all(places)
        and any(place is not None and place.block is not None for place in places)
        and any(place is not None and place.part == "fc" for place in places)
    ]
