"""MobileNetV2 for small images, of any width.

Shape legend: B images, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.json_values import JsonObject
from engine.models.families.family import (
    LEAF,
    Arguments,
    Family,
    NotOfFamilyError,
    Shapes,
    Variant,
    check_ends,
    check_whole,
    check_widths,
    in_a_row,
    initialise,
    numbers_behind,
    renamed,
    size,
)

_DEPTHS = (1, 2, 3, 4, 3, 3, 1)  # blocks of each stage
_STRIDES = (1, 1, 2, 2, 1, 2, 1)  # for small images; for large ones the second is 2
_WIDTHS = (16, 24, 32, 64, 96, 160, 320)
IMAGENET_CLASSES = 1000


class InvertedResidual(nn.Module):
    """A 1×1 convolution to more channels, a 3×3 one of each channel, a 1×1 one back."""

    def __init__(
        self, in_width: int, inner: int, out_width: int, stride: int, of: CifarMobileNetV2
    ) -> None:
        super().__init__()
        self.clips, self.adds, self.conv1 = of.relu6, stride == 1, None
        if inner:
            self.conv1 = nn.Conv2d(in_width, inner, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(inner)
        inner = inner or in_width
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_width)
        self.shortcut = nn.Sequential()
        if self.adds and in_width != out_width:
            self.adds = of.projects
            if of.projects:
                conv = nn.Conv2d(in_width, out_width, 1, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out_width))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        maps_BCHW = x_BCHW
        if self.conv1 is not None:
            maps_BCHW = _active(self.bn1(self.conv1(maps_BCHW)), self.clips)
        maps_BCHW = _active(self.bn2(self.conv2(maps_BCHW)), self.clips)
        out_BCHW: Tensor = self.bn3(self.conv3(maps_BCHW))
        return out_BCHW + self.shortcut(x_BCHW) if self.adds else out_BCHW


class CifarMobileNetV2(nn.Module):
    """The 17 blocks of MobileNetV2 between a 3×3 stem and a 1×1 convolution, and a classifier.

    `inner_widths` are what blocks work at inside, 0 where one has no convolution for it; with
    `projects` a block that keeps the size of its maps and not their number adds a 1×1 convolution.
    `strides` are those of the stem and of each stage.
    """

    def __init__(
        self,
        *,
        inner_widths: Sequence[int],
        out_widths: Sequence[int],
        stem_width: int = 32,
        last_width: int = 1280,
        strides: Sequence[int] = (1, *_STRIDES),
        projects: bool = False,
        relu6: bool = True,
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_ends(num_classes, in_channels)
        check_widths("stem_width and last_width", [stem_width, last_width])
        check_widths("inner_widths", inner_widths, low=0)
        check_widths("out_widths", out_widths)
        for stride in strides:
            check_whole("strides", stride, 1, 2)
        self.projects, self.relu6 = projects, relu6
        self.conv1 = nn.Conv2d(in_channels, stem_width, 3, strides[0], 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_width)
        blocks, width = [], stem_width
        for sizes in zip(inner_widths, out_widths, _by_block(strides[1:]), strict=True):
            blocks.append(InvertedResidual(width, *sizes, self))
            width = sizes[1]
        self.layers = nn.Sequential(*blocks)
        self.conv2 = nn.Conv2d(width, last_width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(last_width)
        self.fc = nn.Linear(last_width, num_classes)
        self.apply(initialise)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        maps_BCHW = self.layers(_active(self.bn1(self.conv1(images_BCHW)), self.relu6))
        maps_BCHW = _active(self.bn2(self.conv2(maps_BCHW)), self.relu6)
        logits_BK: Tensor = self.fc(maps_BCHW.mean((2, 3)))
        return logits_BK


def _active(maps_BCHW: Tensor, clips: bool) -> Tensor:
    return F.relu6(maps_BCHW) if clips else F.relu(maps_BCHW)


def _by_block(strides: Sequence[int]) -> list[int]:
    return [s if k == 0 else 1 for n, s in zip(_DEPTHS, strides, strict=True) for k in range(n)]


def usual(num_classes: int, in_channels: int) -> Arguments:
    """The arguments of the network as it was published, for small images."""
    out = [w for n, w in zip(_DEPTHS, _WIDTHS, strict=True) for _ in range(n)]
    inner = [0, *(6 * width for width in out[:-1])]
    return {"inner_widths": inner, "out_widths": out, "num_classes": num_classes,
            "in_channels": in_channels}  # fmt: skip


def _rename(names: Sequence[str]) -> dict[str, str]:
    ours = [
        (r"(conv|bn)([12])" + LEAF, r"\1\2.\3"),
        (r"layers\.(\d{1,2})\.(conv|bn)([123])" + LEAF, r"layers.\1.\2\3.\4"),
        (r"layers\.(\d{1,2})\.shortcut\.([01])" + LEAF, r"layers.\1.shortcut.\2.\3"),
        (r"(?:fc|linear|classifier(?:\.1)?)" + LEAF, r"fc.\1"),
    ]
    numbers = [int(m[1]) for n in names if (m := re.match(r"features\.(\d{1,2})\.", n))]
    for number in sorted(set(numbers)):
        at, block = rf"features\.{number}\.", f"layers.{number - 1}."
        if number in (0, max(numbers)):
            end = 1 if number == 0 else 2
            ours += [(at + "0" + LEAF, rf"conv{end}.\1"), (at + "1" + LEAF, rf"bn{end}.\1")]
            continue
        expands = f"features.{number}.conv.3.weight" in names
        parts = ("0.0", "0.1", "1.0", "1.1", "2", "3") if expands else ("0.0", "0.1", "1", "2")
        places = ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3")[0 if expands else 2 :]
        ours += [
            (at + r"conv\." + re.escape(part) + LEAF, rf"{block}{place}.\1")
            for part, place in zip(parts, places, strict=True)
        ]
    return renamed(names, ours)


def _looks(shapes: Shapes) -> bool:
    return shapes.get("layers.1.conv2.weight", ())[1:2] == (1,) and "conv2.weight" in shapes


def _infer(shapes: Shapes) -> Arguments:
    num_blocks = in_a_row(numbers_behind(shapes, "layers."), 0, "blocks")
    if num_blocks != sum(_DEPTHS):
        raise NotOfFamilyError(f"it has {num_blocks} blocks, not {sum(_DEPTHS)}")
    at = [f"layers.{n}." for n in range(num_blocks)]
    expands = [f"{block}conv1.weight" in shapes for block in at]
    projects = any("shortcut" in name for name in shapes)
    classes = size(shapes, "fc.weight")
    if classes == IMAGENET_CLASSES and not projects:
        raise NotOfFamilyError(
            "it has the 1000 classes of ImageNet",
            "say so with --arch torchvision.models:mobilenet_v2",
        )
    found: Arguments = {
        "inner_widths": [size(shapes, f"{b}conv1.weight") if e else 0
                         for b, e in zip(at, expands, strict=True)],
        "out_widths": [size(shapes, f"{block}conv3.weight") for block in at],
        "stem_width": size(shapes, "conv1.weight"),
        "last_width": size(shapes, "conv2.weight"),
        "num_classes": classes,
        "in_channels": size(shapes, "conv1.weight", 1),
    }  # fmt: skip
    # The code whose blocks project has no ReLU6.
    return {**found, "projects": True, "relu6": False} if projects else found


def _variants(arguments: JsonObject) -> Sequence[Variant]:
    clips = bool(arguments.get("relu6", True))
    strides = {"": (1, *_STRIDES), "a first convolution of stride 2": (2, *_STRIDES)}
    if not arguments.get("projects"):  # else shortcuts show them
        halves = (1, 2, *_STRIDES[2:])
        strides["a second stage of stride 2"] = (1, *halves)
        strides["the strides for ImageNet"] = (2, *halves)
    found = []
    for words, values in strides.items():
        for other in (False, True):
            kind = "ReLU" if clips else "ReLU6"
            told = [words] * bool(words) + [f"{kind} in the place of {'ReLU6' if clips else 'ReLU'}"
                                            ] * other  # fmt: skip
            changes = (("strides", values),) * bool(words) + (("relu6", not clips),) * other
            found.append(Variant(changes, " and ".join(told) or Variant.words))
    return found


def _describe(arguments: JsonObject) -> str:
    width = arguments.get("last_width", 1280)
    return f"a MobileNetV2, {width} wide at its end, {arguments['num_classes']} classes"


MOBILENET = Family("a MobileNetV2", CifarMobileNetV2, _rename, _looks, _infer, _variants, _describe)
