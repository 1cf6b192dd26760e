"""What is left of each stage of a network, reckoned from its edits. No torch: the app uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.views.values import StageView

_Widths = dict[str, int]  # by path of a block, the filters of its first convolution


def stages(architecture: Mapping[str, Any], edits: Sequence[Mapping[str, Any]]) -> list[StageView]:
    """The stages after `edits`, against the network that the run began with.

    `architecture` is the root's, with the edits that made the root itself; `edits` are those from
    the root down. Empty for families whose stages are not known.
    """
    if architecture.get("factory") != "cifar_resnet":
        return []
    root = _edited(_built(architecture["arguments"]), architecture.get("edits", ()))
    left = _edited(root, edits)
    names = [f"layer{n + 1}" for n in range(len(architecture["arguments"]["inner_widths"]))]
    return [_stage(name, _of_stage(root, name), _of_stage(left, name)) for name in names]


def _built(arguments: Mapping[str, Any]) -> _Widths:
    return {
        f"layer{n + 1}.{index}": width
        for n, widths in enumerate(arguments["inner_widths"])
        for index, width in enumerate(widths)
    }


def _edited(widths: _Widths, edits: Sequence[Mapping[str, Any]]) -> _Widths:
    left = dict(widths)
    for edit in edits:
        for block in edit.get("blocks", ()):
            del left[block]
        for conv, indices in edit.get("filters", {}).items():
            left[conv.removesuffix(".conv1")] -= len(indices)
    return left


def _of_stage(widths: _Widths, name: str) -> tuple[int, ...]:
    return tuple(width for path, width in widths.items() if path.startswith(f"{name}."))


def _stage(name: str, root: tuple[int, ...], left: tuple[int, ...]) -> StageView:
    return StageView(name, len(left), len(root), sum(left), sum(root), left)


def shape_changing(architecture: Mapping[str, Any]) -> set[str]:
    """The blocks that change the shape of the maps, so that they can never be removed."""
    if architecture.get("factory") != "cifar_resnet":
        return set()
    arguments = architecture["arguments"]
    widths = [arguments["stem_width"], *arguments["stage_widths"]]
    return {
        f"layer{n + 1}.0"
        for n in range(len(widths) - 1)
        if n > 0 or widths[n] != widths[n + 1]  # a later stage halves the maps, too
    }
