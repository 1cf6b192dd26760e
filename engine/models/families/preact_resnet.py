"""ResNets for small images whose batch norms stand before their convolutions: pre-activation
ResNets (He et al., 2016b) and wide ResNets (Zagoruyko and Komodakis, 2016).

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

DEPTHS = {
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)
}  # fmt: skip


class PreActBlock(nn.Module):
    """conv(act(bn(x))) two or three times, plus x or a 1×1 convolution of x or of act(bn1(x))."""

    def __init__(
        self, in_width: int, inner: int, out_width: int, stride: int, of: CifarPreActResNet
    ) -> None:
        super().__init__()
        bias, self.of_input = of.conv_bias, of.shortcut_of == "input"
        first, second = (1, stride) if of.stride_at == "conv2" else (stride, 1)
        kernel, last = (1, inner) if of.bottleneck else (3, out_width)
        self.bn1, self.bn2 = nn.BatchNorm2d(in_width), nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(in_width, inner, kernel, first, kernel // 2, bias=bias)
        self.conv2 = nn.Conv2d(inner, last, 3, second, 1, bias=bias)
        self.conv3: nn.Module | None = None
        if of.bottleneck:
            self.bn3 = nn.BatchNorm2d(inner)
            self.conv3 = nn.Conv2d(inner, out_width, 1, bias=bias)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_width != out_width:
            self.shortcut.append(nn.Conv2d(in_width, out_width, 1, stride=stride, bias=bias))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        active_BCHW = F.relu(self.bn1(x_BCHW))
        maps_BCHW = self.conv2(F.relu(self.bn2(self.conv1(active_BCHW))))
        if self.conv3 is not None:
            maps_BCHW = self.conv3(F.relu(self.bn3(maps_BCHW)))
        is_identity = self.of_input or len(self.shortcut) == 0
        added_BCHW: Tensor = maps_BCHW + self.shortcut(x_BCHW if is_identity else active_BCHW)
        return added_BCHW


class CifarPreActResNet(nn.Module):
    """A 3×3 stem without norm, stages of such blocks (each but the first halves the maps), perhaps
    a last batch norm, a classifier."""

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        stem_width: int,
        inner_widths: Sequence[int],
        stage_widths: Sequence[int],
        bottleneck: bool = False,
        final_norm: bool = False,
        conv_bias: bool = False,
        shortcut_of: str = "activation",
        stride_at: str = "conv1",
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_ends(num_classes, in_channels)
        check_widths("blocks", blocks, most=16)
        check_whole("the number of blocks", sum(blocks), 1, MOST_BLOCKS)
        check_widths("stem_width", [stem_width])
        check_widths("inner_widths", inner_widths)
        check_widths("stage_widths", stage_widths)
        check_word("shortcut_of", shortcut_of, ("activation", "input"))
        check_word("stride_at", stride_at, ("conv1", "conv2"))
        self.bottleneck, self.conv_bias = bottleneck, conv_bias
        self.shortcut_of, self.stride_at = shortcut_of, stride_at
        self.conv1 = nn.Conv2d(in_channels, stem_width, 3, padding=1, bias=conv_bias)
        width, self.num_stages = stem_width, len(blocks)
        for stage, sizes in enumerate(zip(blocks, inner_widths, stage_widths, strict=True)):
            layers = []
            for index in range(sizes[0]):
                stride = 2 if stage > 0 and index == 0 else 1
                layers.append(PreActBlock(width, sizes[1], sizes[2], stride, self))
                width = sizes[2]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.bn1 = nn.BatchNorm2d(width) if final_norm else None
        self.fc = nn.Linear(width, num_classes)
        self.apply(initialise)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        maps_BCHW = self.conv1(images_BCHW)
        for stage in range(self.num_stages):
            maps_BCHW = self.get_submodule(f"layer{stage + 1}")(maps_BCHW)
        if self.bn1 is not None:
            maps_BCHW = F.relu(self.bn1(maps_BCHW))
        logits_BK: Tensor = self.fc(maps_BCHW.mean((2, 3)))
        return logits_BK


def of_depth(depth: int, num_classes: int, in_channels: int) -> Arguments:
    """The arguments of a pre-activation ResNet of a usual depth. Raises KeyError."""
    inner, deep = [64, 128, 256, 512], depth >= 50
    out = [4 * width for width in inner] if deep else inner
    found: Arguments = {"blocks": list(DEPTHS[depth]), "stem_width": 64, "inner_widths": inner,
                        "stage_widths": out}  # fmt: skip
    told = {"bottleneck": True} if deep else {}
    return {**found, **told, "num_classes": num_classes, "in_channels": in_channels}


def of_width(depth: int, factor: int, num_classes: int, in_channels: int) -> Arguments:
    """The arguments of a wide ResNet of depth 6n+4, `factor` times as wide as a ResNet."""
    widths = [16 * factor, 32 * factor, 64 * factor]
    return {"blocks": [(depth - 4) // 6] * 3, "stem_width": 16, "inner_widths": widths,
            "stage_widths": list(widths), "final_norm": True, "num_classes": num_classes,
            "in_channels": in_channels}  # fmt: skip


def _infer(shapes: Shapes) -> Arguments:
    blocks, bottleneck = blocks_of(shapes), has(shapes, "conv3")
    found: Arguments = {
        "blocks": blocks,
        "stem_width": size(shapes, "conv1.weight"),
        "inner_widths": widths_of(shapes, len(blocks), 1),
        "stage_widths": widths_of(shapes, len(blocks), 3 if bottleneck else 2),
    }
    told: Arguments = {"bottleneck": bottleneck, "final_norm": "bn1.weight" in shapes,
                       "conv_bias": has_bias(shapes)}  # fmt: skip
    found.update({name: value for name, value in told.items() if value})
    if found.get("conv_bias"):  # the code whose convolutions have biases is of that layout
        found.update({"shortcut_of": "input", "stride_at": "conv2"})
    elif bottleneck:
        found["stride_at"] = "conv2"
    classes, channels = size(shapes, "fc.weight"), size(shapes, "conv1.weight", 1)
    return {**found, "num_classes": classes, "in_channels": channels}


def has_bias(shapes: Shapes) -> bool:
    """Whether its convolutions have biases, as the first one of a block has."""
    return "layer1.0.conv1.bias" in shapes


def _variants(arguments: JsonObject) -> Sequence[Variant]:
    usual_of = arguments.get("shortcut_of", "activation")
    usual_at = arguments.get("stride_at", "conv1")
    of, at = {"activation": "input", "input": "activation"}, {"conv1": "conv2", "conv2": "conv1"}
    other_of, other_at = of[str(usual_of)], at[str(usual_at)]
    first = f"shortcuts of the {other_of} of blocks"
    second = f"strides in the {'second' if other_at == 'conv2' else 'first'} convolution of blocks"
    return (
        Variant(),
        Variant((("shortcut_of", other_of),), first),
        Variant((("stride_at", other_at),), second),
        Variant((("shortcut_of", other_of), ("stride_at", other_at)), f"{first} and {second}"),
    )


def _describe(arguments: JsonObject) -> str:
    blocks, widths = arguments["blocks"], arguments["stage_widths"]
    assert isinstance(blocks, list) and isinstance(widths, list)
    what = "wide ResNet" if arguments.get("final_norm") else "pre-activation ResNet"
    return (
        f"a {what} of {'+'.join(map(str, blocks))} blocks, {'/'.join(map(str, widths))} wide, "
        f"{arguments['num_classes']} classes"
    )


PREACT = Family("a pre-activation ResNet", CifarPreActResNet, rename, norms_come_first, _infer,
                _variants, _describe, ("conv_bias", "shortcut_of", "stride_at"))  # fmt: skip
