"""How public repositories name the tensors of residual networks with three convolutions a block or
with batch norms before them, and what their shapes tell alike.

Ours: `conv1`, `bn1`, `layer1.0.conv1` … `bn3`, `layer1.0.shortcut.0`, `.1`, `fc`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.models.families.family import LEAF, Shapes, in_a_row, numbers_behind, renamed, size

# layer1.0  block1.layer.0  conv2_x.0  stages.1.0
_BLOCK = (
    r"(?:layer|block|stage|conv(?=\d+_x)|layers\.|stages\.)(\d{1,2})(?:_x|\.layer)?\.(\d{1,4})\."
)
_INSIDE = [
    *((rf"residual(?:_function)?\.{3 * k}", f"conv{k + 1}") for k in range(3)),
    *((rf"residual(?:_function)?\.{3 * k + 1}", f"bn{k + 1}") for k in range(3)),
    (r"(conv|bn)([123])", r"\3\4"),
    (r"(?:shortcut|downsample|convShortcut)(?:\.0)?", "shortcut.0"),
    (r"(?:shortcut|downsample)\.1", "shortcut.1"),
]
_OUTSIDE = [
    (r"conv1(?:\.0)?" + LEAF, r"conv1.\1"),
    (r"(?:bn|bn1|norm|conv1\.1)" + LEAF, r"bn1.\1"),
    (r"(?:fc|linear|classifier)" + LEAF, r"fc.\1"),
]


def _inside(pattern: str, ours: str) -> tuple[str, str]:
    groups = 3 + pattern.count("(") - pattern.count("(?:")
    return _BLOCK + pattern + LEAF, rf"layer\1.\2.{ours}.\g<{groups}>"


def rename(names: Sequence[str]) -> dict[str, str]:
    """Our names by those of a file; stages are counted from 1."""
    found = renamed(names, [*_OUTSIDE, *(_inside(*each) for each in _INSIDE)])
    stages = sorted({int(m[1]) for n in found.values() if (m := re.match(r"layer(\d+)\.", n))})
    if not stages or stages[0] == 1:
        return found
    shift = stages[0] - 1
    return {
        name: re.sub(r"^layer(\d+)", lambda m: f"layer{int(m[1]) - shift}", ours)
        for name, ours in found.items()
    }


def blocks_of(shapes: Shapes) -> list[int]:
    """How many blocks each stage has. Raises NotOfFamilyError for gaps."""
    num_stages = in_a_row(numbers_behind(shapes, "layer"), 1, "stages")
    return [
        in_a_row(numbers_behind(shapes, f"layer{stage}."), 0, f"blocks of layer{stage}")
        for stage in range(1, num_stages + 1)
    ]


def widths_of(shapes: Shapes, num_stages: int, conv: int) -> list[int]:
    """The widths of one of the convolutions of each stage's first block."""
    return [size(shapes, f"layer{stage}.0.conv{conv}.weight") for stage in range(1, num_stages + 1)]


def has(shapes: Shapes, part: str) -> bool:
    """Whether any block has that part."""
    return any(re.fullmatch(rf"layer\d+\.\d+\.{part}\.weight", name) for name in shapes)


def norms_come_first(shapes: Shapes) -> bool:
    """Whether a block's first batch norm is as wide as what its first convolution takes, and not
    as what it gives."""
    for name, shape in shapes.items():
        match = re.fullmatch(r"(layer\d+\.\d+)\.conv1\.weight", name)
        if match is None or len(shape) != 4 or shape[0] == shape[1]:
            continue
        if shapes.get(f"{match[1]}.bn1.weight") == shape[1:2]:
            return True
    return False
