"""DenseNets for small images, with or without bottlenecks.

Shape legend: B images, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.json_values import JsonObject
from engine.models.families.family import (
    LEAF,
    MOST_BLOCKS,
    Arguments,
    Family,
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


class DenseLayer(nn.Module):
    """A few new channels beside those that it gets: conv(act(bn(x))), once or twice."""

    def __init__(self, in_width: int, inner: int, growth: int, newest_first: bool) -> None:
        super().__init__()
        self.newest_first = newest_first
        self.bn1 = nn.BatchNorm2d(in_width)
        self.conv2: nn.Module | None = None
        if inner == 0:
            self.conv1 = nn.Conv2d(in_width, growth, 3, padding=1, bias=False)
            return
        self.conv1 = nn.Conv2d(in_width, inner, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, growth, 3, padding=1, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        new_BCHW = self.conv1(F.relu(self.bn1(x_BCHW)))
        if self.conv2 is not None:
            new_BCHW = self.conv2(F.relu(self.bn2(new_BCHW)))
        return torch.cat((new_BCHW, x_BCHW) if self.newest_first else (x_BCHW, new_BCHW), 1)


class Transition(nn.Module):
    """A 1×1 convolution, and maps half as large."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(in_width)
        self.conv = nn.Conv2d(in_width, out_width, 1, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.bn(x_BCHW))), 2)


class CifarDenseNet(nn.Module):
    """A 3×3 stem, dense blocks with transitions between them, a batch norm, a classifier.

    `inner` is the width of bottlenecks, 0 without them; `newest_first` tells on which side of the
    others a layer puts its channels.
    """

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        growth: int,
        stem_width: int,
        transitions: Sequence[int],
        inner: int = 0,
        newest_first: bool = False,
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_ends(num_classes, in_channels)
        check_widths("blocks", blocks, most=16)
        check_whole("the number of layers", sum(blocks), 1, MOST_BLOCKS)
        check_widths("growth and stem_width", [growth, stem_width])
        check_widths("inner", [inner], low=0)
        check_widths("transitions", transitions)
        self.conv1 = nn.Conv2d(in_channels, stem_width, 3, padding=1, bias=False)
        width, self.num_blocks = stem_width, len(blocks)
        for number, after in zip(range(1, len(blocks) + 1), [*transitions, None], strict=True):
            layers = []
            for _ in range(blocks[number - 1]):
                layers.append(DenseLayer(width, inner, growth, newest_first))
                width += growth
            self.add_module(f"dense{number}", nn.Sequential(*layers))
            if after is not None:
                self.add_module(f"trans{number}", Transition(width, after))
                width = after
        self.bn = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, num_classes)
        self.apply(initialise)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        maps_BCHW = self.conv1(images_BCHW)
        for number in range(1, self.num_blocks + 1):
            maps_BCHW = self.get_submodule(f"dense{number}")(maps_BCHW)
            if number < self.num_blocks:
                maps_BCHW = self.get_submodule(f"trans{number}")(maps_BCHW)
        logits_BK: Tensor = self.fc(F.relu(self.bn(maps_BCHW)).mean((2, 3)))
        return logits_BK


def of_depth(depth: int, growth: int, num_classes: int, in_channels: int) -> Arguments:
    """The arguments of a DenseNet of three blocks without bottlenecks, whose depth is 3n+4."""
    layers, stem = (depth - 4) // 3, 2 * growth
    first = stem + layers * growth
    return {"blocks": [layers] * 3, "growth": growth, "stem_width": stem,
            "transitions": [first, first + layers * growth], "num_classes": num_classes,
            "in_channels": in_channels}  # fmt: skip


def _rename(names: Sequence[str]) -> dict[str, str]:
    block = r"(?:dense|block)(\d{1,2})(?:\.layer)?\.(\d{1,4})\.(conv|bn)([12])"
    return renamed(names, [
        (r"conv1" + LEAF, r"conv1.\1"),
        (block + LEAF, r"dense\1.\2.\3\4.\5"),
        (r"trans(\d{1,2})\.(conv|bn)1?" + LEAF, r"trans\1.\2.\3"),
        (r"bn1?" + LEAF, r"bn.\1"),
        (r"(?:fc|linear|classifier)" + LEAF, r"fc.\1"),
    ])  # fmt: skip


def _looks(shapes: Shapes) -> bool:
    return "trans1.conv.weight" in shapes


def _infer(shapes: Shapes) -> Arguments:
    num_blocks = in_a_row(numbers_behind(shapes, "dense"), 1, "dense blocks")
    blocks = [
        in_a_row(numbers_behind(shapes, f"dense{n}."), 0, f"layers of dense{n}")
        for n in range(1, num_blocks + 1)
    ]
    inner = 0
    if "dense1.0.conv2.weight" in shapes:
        inner = size(shapes, "dense1.0.conv1.weight")
    return {
        "blocks": blocks,
        "growth": size(shapes, f"dense1.0.conv{2 if inner else 1}.weight"),
        "stem_width": size(shapes, "conv1.weight"),
        "transitions": [size(shapes, f"trans{n}.conv.weight") for n in range(1, num_blocks)],
        "inner": inner,
        "num_classes": size(shapes, "fc.weight"),
        "in_channels": size(shapes, "conv1.weight", 1),
    }


def _variants(arguments: JsonObject) -> Sequence[Variant]:
    words = "the newest channels before the others"
    return Variant(), Variant((("newest_first", True),), words)


def _describe(arguments: JsonObject) -> str:
    blocks = arguments["blocks"]
    assert isinstance(blocks, list)
    return (
        f"a DenseNet of {'+'.join(map(str, blocks))} layers, growth {arguments['growth']}, "
        f"{arguments['num_classes']} classes"
    )


DENSENET = Family("a DenseNet", CifarDenseNet, _rename, _looks, _infer, _variants, _describe)
