"""ResNets for small images whose blocks have three convolutions (ResNet50, 101, 152).

Shape legend: B images, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.json_values import JsonObject
from engine.models.families.family import (
    MOST_BLOCKS,
    Arguments,
    Family,
    NotOfFamilyError,
    Shapes,
    Variant,
    check_ends,
    check_whole,
    check_widths,
    check_word,
    initialise,
    size,
)
from engine.models.families.resnet_names import blocks_of, has, norms_come_first, rename, widths_of

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class Bottleneck(nn.Module):
    """act(bn3(conv3(act(bn2(conv2(act(bn1(conv1(x)))))))) + shortcut(x)), 1×1, 3×3 and 1×1."""

    def __init__(
        self, in_width: int, inner: int, out_width: int, stride: int, at_first: bool
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if at_first else (1, stride)
        self.conv1 = nn.Conv2d(in_width, inner, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_width)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_width != out_width:
            conv = nn.Conv2d(in_width, out_width, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out_width))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        maps_BCHW = F.relu(self.bn1(self.conv1(x_BCHW)))
        maps_BCHW = F.relu(self.bn2(self.conv2(maps_BCHW)))
        return F.relu(self.bn3(self.conv3(maps_BCHW)) + self.shortcut(x_BCHW))


class CifarBottleneckResNet(nn.Module):
    """A 3×3 stem, stages of bottlenecks (each but the first halves the maps), a classifier."""

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        stem_width: int = 64,
        inner_widths: Sequence[int] = (64, 128, 256, 512),
        stage_widths: Sequence[int] = (256, 512, 1024, 2048),
        stride_at: str = "conv2",
        stem_pool: bool = False,
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_ends(num_classes, in_channels)
        check_widths("blocks", blocks, most=16)
        check_whole("the number of blocks", sum(blocks), 1, MOST_BLOCKS)
        check_widths("inner_widths", inner_widths)
        check_widths("stage_widths", stage_widths)
        check_widths("stem_width", [stem_width])
        check_word("stride_at", stride_at, ("conv1", "conv2"))
        self.conv1 = nn.Conv2d(in_channels, stem_width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_width)
        self.stem_pool = nn.MaxPool2d(3, 2, 1) if stem_pool else nn.Identity()
        in_width, self.num_stages = stem_width, len(blocks)
        for stage, sizes in enumerate(zip(blocks, inner_widths, stage_widths, strict=True)):
            layers = []
            num_blocks, inner, out_width = sizes
            for index in range(num_blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                layers.append(Bottleneck(in_width, inner, out_width, stride, stride_at == "conv1"))
                in_width = out_width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(in_width, num_classes)
        self.apply(initialise)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        maps_BCHW = self.stem_pool(F.relu(self.bn1(self.conv1(images_BCHW))))
        for stage in range(self.num_stages):
            maps_BCHW = self.get_submodule(f"layer{stage + 1}")(maps_BCHW)
        logits_BK: Tensor = self.fc(maps_BCHW.mean((2, 3)))
        return logits_BK


def of_depth(depth: int, num_classes: int, in_channels: int) -> Arguments:
    """The arguments of a network of a usual depth. Raises KeyError."""
    return {"blocks": list(DEPTHS[depth]), "num_classes": num_classes, "in_channels": in_channels}


def _looks(shapes: Shapes) -> bool:
    return has(shapes, "conv3") and not norms_come_first(shapes)


def _infer(shapes: Shapes) -> Arguments:
    blocks = blocks_of(shapes)
    stem = shapes.get("conv1.weight", ())
    if stem[2:] == (7, 7):
        name = next((f"resnet{depth}" for depth, n in DEPTHS.items() if list(n) == blocks), "NAME")
        raise NotOfFamilyError(
            "its first convolution is 7×7: it is one for ImageNet",
            f"say so with --arch torchvision.models:{name}, or timm:NAME",
        )
    return {
        "blocks": blocks,
        "stem_width": size(shapes, "conv1.weight"),
        "inner_widths": widths_of(shapes, len(blocks), 1),
        "stage_widths": widths_of(shapes, len(blocks), 3),
        "num_classes": size(shapes, "fc.weight"),
        "in_channels": size(shapes, "conv1.weight", 1),
    }


def _variants(arguments: JsonObject) -> Sequence[Variant]:
    at_first = ("stride_at", "conv1")
    pooled = ("stem_pool", True)
    return (
        Variant(),
        Variant((at_first,), "strides in the first convolution of blocks"),
        Variant((pooled,), "a max-pool behind the first convolution"),
        Variant((at_first, pooled), "a max-pool and strides in the first convolution of blocks"),
    )


def _describe(arguments: JsonObject) -> str:
    blocks = arguments["blocks"]
    assert isinstance(blocks, list)
    depth = 3 * sum(blocks) + 2
    return (
        f"a CIFAR ResNet of depth {depth} with {'+'.join(map(str, blocks))} bottlenecks, "
        f"{arguments['num_classes']} classes"
    )


BOTTLENECK = Family(
    "a ResNet of bottlenecks", CifarBottleneckResNet, rename, _looks, _infer, _variants, _describe
)
