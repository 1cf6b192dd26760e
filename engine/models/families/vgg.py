"""VGGs for small images, with or without batch norms, with one classifier or several layers of it.

Shape legend: B images, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    check_word,
    initialise,
    numbers_behind,
    renamed,
    size,
)

DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


class HalvingPool(nn.MaxPool2d):
    """A max-pool that leaves maps of one pixel as they are: images may be less than 32 wide."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, input: Tensor) -> Tensor:
        return input if min(input.shape[-2:]) < 2 else super().forward(input)


class CifarVgg(nn.Module):
    """A VGG: `features` is a sequence as public code numbers it (convolution, batch norm, ReLU,
    and a max-pool behind each stage of `widths`), `classifier` one of dense layers."""

    def __init__(
        self,
        *,
        widths: Sequence[Sequence[int]],
        hidden: Sequence[int] = (),
        batch_norm: bool = True,
        conv_bias: bool = True,
        last_pool: str = "max",
        map_size: int = 1,
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_ends(num_classes, in_channels)
        check_whole("map_size", map_size, 1, 16)
        check_widths("hidden", hidden, most=4)
        check_word("last_pool", last_pool, ("max", "mean"))
        check_whole("the number of stages", len(widths), 1, 16)
        layers: list[nn.Module] = []
        width = in_channels
        for stage in widths:
            check_widths("widths", stage, most=64)
            for out_width in stage:
                layers.append(nn.Conv2d(width, out_width, 3, padding=1, bias=conv_bias))
                layers += [nn.BatchNorm2d(out_width)] if batch_norm else []
                layers.append(nn.ReLU())
                width = out_width
            layers.append(HalvingPool())
        if last_pool == "mean":  # over all that is left
            layers.pop()
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(map_size)
        dense: list[nn.Module] = []
        width *= map_size**2
        for out_width in hidden:
            dense += [nn.Linear(width, out_width), nn.ReLU(), nn.Dropout()]
            width = out_width
        self.classifier = nn.Sequential(*dense, nn.Linear(width, num_classes))
        self.apply(initialise)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        maps_BCHW = self.pool(self.features(images_BCHW))
        logits_BK: Tensor = self.classifier(maps_BCHW.flatten(1))
        return logits_BK


def of_depth(depth: int, num_classes: int, in_channels: int) -> Arguments:
    """The arguments of a VGG of a usual depth. Raises KeyError."""
    widths = [[w] * n for w, n in zip(_WIDTHS, DEPTHS[depth], strict=True)]
    return {"widths": widths, "num_classes": num_classes, "in_channels": in_channels}


def _rename(names: Sequence[str]) -> dict[str, str]:
    dense = sorted({int(m[1]) for n in names if (m := re.match(r"classifier\.(\d{1,4})\.", n))})
    numbered = [
        (rf"classifier\.{number}" + LEAF, rf"classifier.{3 * place}.\1")
        for place, number in enumerate(dense)
    ]
    patterns = [
        (r"features?\.(\d{1,4})" + LEAF, r"features.\1.\2"),
        *numbered,
        (r"(?:classifier|fc|linear)" + LEAF, r"classifier.0.\1"),
    ]
    return renamed(names, patterns)


def _looks(shapes: Shapes) -> bool:
    features = [name for name in shapes if name.startswith("features.")]
    return len(features) > len(shapes) / 2 and len(shapes.get("features.0.weight", ())) == 4


def _infer(shapes: Shapes) -> Arguments:
    layers = numbers_behind(shapes, "features.")
    convs = [n for n in layers if len(shapes.get(f"features.{n}.weight", ())) == 4]
    batch_norm = f"features.{convs[0] + 1}.weight" in shapes
    widths: list[list[int]] = [[]]
    for number, following in zip(convs, [*convs[1:], None], strict=True):
        widths[-1].append(size(shapes, f"features.{number}.weight"))
        gap = 0 if following is None else following - number - (3 if batch_norm else 2)
        if gap not in (0, 1):
            raise NotOfFamilyError(
                f"features.{following} does not follow features.{number} by a ReLU and a max-pool"
            )
        widths += [[]] * gap
        widths[-1] = list(widths[-1])
    dense = numbers_behind(shapes, "classifier.")
    if not dense:
        raise NotOfFamilyError("it has no classifier by any name that is known")
    inside, last = size(shapes, f"classifier.{dense[0]}.weight", 1), widths[-1][-1]
    map_size = next((n for n in range(1, 17) if n * n * last == inside), None)
    if map_size is None:
        raise NotOfFamilyError(f"its classifier takes {inside} numbers of maps of {last} channels")
    if map_size == 7:
        name = f"vgg{len(convs) + 3}{'_bn' if batch_norm else ''}"
        raise NotOfFamilyError(
            "its classifier takes maps of 7×7 pixels: it is one for ImageNet",
            f"say so with --arch torchvision.models:{name}",
        )
    found: Arguments = {
        "widths": widths,
        "num_classes": size(shapes, f"classifier.{dense[-1]}.weight"),
        "in_channels": size(shapes, f"features.{convs[0]}.weight", 1),
    }
    if len(dense) > 1:
        found["hidden"] = [size(shapes, f"classifier.{n}.weight") for n in dense[:-1]]
    told = {
        "batch_norm": batch_norm,
        "conv_bias": f"features.{convs[0]}.bias" in shapes,
    }
    found.update({name: value for name, value in told.items() if not value})
    return found if map_size == 1 else {**found, "map_size": map_size}


def _variants(arguments: JsonObject) -> Sequence[Variant]:
    words = "no max-pool at its end but a mean over what is left"
    return Variant(), Variant((("last_pool", "mean"),), words)


def _describe(arguments: JsonObject) -> str:
    widths, hidden = arguments["widths"], arguments.get("hidden", ())
    assert isinstance(widths, list) and isinstance(hidden, list | tuple)
    return (
        f"a VGG of {sum(map(len, widths))} convolutions and {1 + len(hidden)} dense layers, "
        f"{arguments['num_classes']} classes"
    )


VGG = Family("a VGG", CifarVgg, _rename, _looks, _infer, _variants, _describe,
             ("hidden", "batch_norm", "conv_bias", "map_size"))  # fmt: skip
