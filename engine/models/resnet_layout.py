"""What a CIFAR ResNet computes that its tensors do not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from engine.contracts.json_values import JsonValue

PADDINGS = ("both", "behind")
SUBSAMPLINGS = ("slice", "average")


@dataclass(frozen=True)
class Layout:
    """The defaults are those of He et al.; only what differs from them is among a network's
    arguments, so that those of other networks stay as they were."""

    padding: str = "both"  # where option A puts its zeros: on both sides, or behind
    subsampling: str = "slice"  # in option A: every second pixel, or the mean of four
    strides: tuple[int, ...] = ()  # of each stage's first block; empty: 1, then 2 in each other
    stem_stride: int = 1
    stem_pool: bool = False  # a 3×3 max-pool of stride 2 behind the stem
    bn_eps: float = 1e-5

    @staticmethod
    def of(arguments: Mapping[str, Any], num_stages: int) -> Layout:
        """The layout that a network's arguments describe. Raises TypeError and ValueError."""
        layout = Layout(**{**arguments, "strides": tuple(arguments.get("strides", ()))})
        if layout.padding not in PADDINGS or layout.subsampling not in SUBSAMPLINGS:
            raise ValueError(
                f"padding is {layout.padding!r} and subsampling {layout.subsampling!r}; they must "
                f"be among {', '.join(PADDINGS)} and {', '.join(SUBSAMPLINGS)}"
            )
        if layout.strides and len(layout.strides) != num_stages:
            raise ValueError(f"{len(layout.strides)} strides of {num_stages} stages")
        strides = (*layout.strides, layout.stem_stride)
        if not all(type(stride) is int and 1 <= stride <= 4 for stride in strides):
            raise ValueError(f"strides are {strides}; each must be 1 to 4")
        if type(layout.stem_pool) is not bool or not 0 < layout.bn_eps < 1:
            raise ValueError("stem_pool must be true or false, and bn_eps above 0 and below 1")
        return layout

    def stride(self, stage: int) -> int:
        """The stride of a stage's first block; stages count from 0."""
        return self.strides[stage] if self.strides else (2 if stage > 0 else 1)

    def arguments(self) -> dict[str, JsonValue]:
        """What differs from the defaults, as a network's arguments."""
        differing = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != each.default
        }
        if "strides" in differing:
            differing["strides"] = list(differing["strides"])
        return differing

    def describe(self) -> str:
        """The layout in a few words."""
        told = []
        if self.padding == "behind":
            told.append("option A with its zeros behind")
        if self.subsampling == "average":
            told.append("option A that averages pixels")
        if self.stem_stride != 1:
            told.append(f"a first convolution of stride {self.stem_stride}")
        if self.stem_pool:
            told.append("a max-pool behind the first convolution")
        if self.strides:
            told.append(f"stages of stride {'-'.join(map(str, self.strides))}")
        if self.bn_eps != Layout.bn_eps:
            told.append(f"batch norms with eps {self.bn_eps:g}")
        return " and ".join(told) or "the usual layout"


USUAL = Layout()
