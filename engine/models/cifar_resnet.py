"""CIFAR ResNets (He et al., 2016, section 4.2) of any depth and any block widths.

Shape legend: B images, C channels, H height, W width, D features, K classes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import UnknownFamilyError
from engine.contracts.json_values import JsonValue
from engine.models.resnet_layout import USUAL, Layout

SHORTCUTS = ("A", "B", "conv")


class PadShortcut(nn.Module):
    """Option A: every second pixel (or the mean of four), the missing channels zeros."""

    def __init__(self, in_width: int, out_width: int, stride: int, layout: Layout) -> None:
        super().__init__()
        self.stride, self.averages = stride, layout.subsampling == "average" and stride > 1
        missing = out_width - in_width
        self.before = 0 if layout.padding == "behind" else missing // 2
        self.after = missing - self.before

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if self.averages:  # odd sizes are rounded up, as the strided convolutions do
            strided_BCHW = F.avg_pool2d(x_BCHW, self.stride, ceil_mode=True)
        else:
            strided_BCHW = x_BCHW[:, :, :: self.stride, :: self.stride]
        return F.pad(strided_BCHW, (0, 0, 0, 0, self.before, self.after))


def _shortcut(
    kind: str, in_width: int, out_width: int, stride: int, conv_bias: bool, layout: Layout
) -> nn.Module:
    if stride == 1 and in_width == out_width:
        return nn.Identity()
    if kind == "A":
        return PadShortcut(in_width, out_width, stride, layout)
    conv = nn.Conv2d(in_width, out_width, 1, stride=stride, bias=conv_bias)
    return conv if kind == "conv" else nn.Sequential(conv, nn.BatchNorm2d(out_width))


class BasicBlock(nn.Module):
    """A residual block: act(bn2(conv2(hidden)) + shortcut(x)), hidden = act(bn1(conv1(x))).

    Only the inner width (conv1's filters) is ever pruned; the residual stream is not touched.
    """

    def __init__(
        self,
        in_width: int,
        inner_width: int,
        out_width: int,
        stride: int = 1,
        shortcut: str = "A",
        conv_bias: bool = False,
        layout: Layout = USUAL,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_width, inner_width, 3, stride=stride, padding=1, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(inner_width)
        self.conv2 = nn.Conv2d(inner_width, out_width, 3, padding=1, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(out_width)
        self.shortcut = _shortcut(shortcut, in_width, out_width, stride, conv_bias, layout)

    def hidden(self, x_BCHW: Tensor) -> Tensor:
        """The inner activations, one channel a prunable filter."""
        return F.relu(self.bn1(self.conv1(x_BCHW)))

    def residual(self, hidden_BCHW: Tensor) -> Tensor:
        """What the block adds to its shortcut."""
        added_BCHW: Tensor = self.bn2(self.conv2(hidden_BCHW))
        return added_BCHW

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.relu(self.residual(self.hidden(x_BCHW)) + self.shortcut(x_BCHW))


class CifarResNet(nn.Module):
    """A CIFAR ResNet: a 3×3 stem, stages of basic blocks, global average pooling, a classifier.

    `inner_widths[s][b]` is the number of filters of block b of stage s; `stage_widths[s]` the
    width of its residual stream. `layout` holds what tensors do not show (resnet_layout.Layout).
    Blocks are named `layer1.0`, `layer1.1`, … and keep their names
    when others are removed, so that an edit means the same at every depth of a tree.
    """

    def __init__(
        self,
        *,
        stem_width: int,
        stage_widths: Sequence[int],
        inner_widths: Sequence[Sequence[int]],
        shortcut: str = "A",
        conv_bias: bool = False,
        num_classes: int = 10,
        in_channels: int = 3,
        **layout: Any,
    ) -> None:
        super().__init__()
        self.layout = Layout.of(layout, len(stage_widths))
        if shortcut not in SHORTCUTS:
            raise ValueError(f"shortcut is {shortcut!r}; it must be one of {', '.join(SHORTCUTS)}")
        if len(stage_widths) != len(inner_widths):
            raise ValueError(
                f"{len(stage_widths)} stage widths but inner widths of {len(inner_widths)} stages"
            )
        self.conv1 = nn.Conv2d(
            in_channels, stem_width, 3, self.layout.stem_stride, padding=1, bias=conv_bias
        )
        self.bn1 = nn.BatchNorm2d(stem_width)
        in_width = stem_width
        for stage, (out_width, inner) in enumerate(zip(stage_widths, inner_widths, strict=True)):
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            for index, inner_width in enumerate(inner):
                stride = self.layout.stride(stage) if index == 0 else 1
                blocks[str(index)] = BasicBlock(
                    in_width, inner_width, out_width, stride, shortcut, conv_bias, self.layout
                )
                in_width = out_width
            self.add_module(f"layer{stage + 1}", nn.Sequential(blocks))
        self.fc = nn.Linear(in_width, num_classes)
        self.num_stages = len(stage_widths)
        self.apply(_initialise)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = self.layout.bn_eps

    def stages(self) -> list[tuple[str, nn.Sequential]]:
        """The stages in order, with their names."""
        return [
            (f"layer{n + 1}", self.get_submodule(f"layer{n + 1}"))  # type: ignore[misc]
            for n in range(self.num_stages)
        ]

    def blocks(self) -> Iterator[tuple[str, BasicBlock]]:
        """Every block in the order of the forward pass, with its path."""
        for stage_name, stage in self.stages():
            for name, block in stage.named_children():
                assert isinstance(block, BasicBlock)
                yield f"{stage_name}.{name}", block

    def stem(self, images_BCHW: Tensor) -> Tensor:
        """What the first block sees."""
        maps_BCHW = F.relu(self.bn1(self.conv1(images_BCHW)))
        return F.max_pool2d(maps_BCHW, 3, 2, 1) if self.layout.stem_pool else maps_BCHW

    def pool(self, maps_BCHW: Tensor) -> Tensor:
        """The features (B, D): the last block's maps averaged over their pixels."""
        return maps_BCHW.mean((2, 3))

    def classify(self, features_BD: Tensor) -> Tensor:
        """The logits (B, K)."""
        logits_BK: Tensor = self.fc(features_BD)
        return logits_BK

    def features(self, images_BCHW: Tensor) -> Tensor:
        """The input of the final classifier (B, D): what similarity is measured on."""
        x_BCHW = self.stem(images_BCHW)
        for _, block in self.blocks():
            x_BCHW = block(x_BCHW)
        return self.pool(x_BCHW)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.classify(self.features(images_BCHW))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def arguments_of_depth(
    depth: int,
    *,
    width: int = 16,
    shortcut: str = "A",
    conv_bias: bool = False,
    num_classes: int = 10,
    in_channels: int = 3,
) -> dict[str, JsonValue]:
    """The arguments of an unpruned CIFAR ResNet of depth 6n+2 whose first stage is `width` wide.

    Raises UnknownFamilyError for a depth that is not 6n+2.
    """
    if depth < 8 or (depth - 2) % 6:
        raise UnknownFamilyError(f"depth {depth} is not 6n+2; use 8, 14, 20, 26, 32, 44, 56 or 110")
    blocks_per_stage = (depth - 2) // 6
    stage_widths = [width, 2 * width, 4 * width]
    return {
        "stem_width": width,
        "stage_widths": stage_widths,
        "inner_widths": [[w] * blocks_per_stage for w in stage_widths],
        "shortcut": shortcut,
        "conv_bias": conv_bias,
        "num_classes": num_classes,
        "in_channels": in_channels,
    }


def arguments_of(model: CifarResNet) -> dict[str, JsonValue]:
    """The arguments that build a network of this one's present shape (its edits folded in)."""
    shortcut = "A"
    for _, block in model.blocks():
        if isinstance(block.shortcut, nn.Sequential):
            shortcut = "B"
        elif isinstance(block.shortcut, nn.Conv2d):
            shortcut = "conv"
    by_stage = [[b for _, b in stage.named_children()] for _, stage in model.stages()]
    return {
        "stem_width": model.conv1.out_channels,
        "stage_widths": [blocks[0].conv2.out_channels for blocks in by_stage],  # type: ignore
        "inner_widths": [[b.conv1.out_channels for b in blocks] for blocks in by_stage],  # type: ignore
        "shortcut": shortcut,
        "conv_bias": model.conv1.bias is not None,
        "num_classes": model.fc.out_features,
        "in_channels": model.conv1.in_channels,
        **model.layout.arguments(),
    }
