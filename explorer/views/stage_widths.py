"""What is left of each stage of a network, reckoned from its edits. No torch: the app uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.contracts.edits import Edit
from explorer.views.root_network import ResNetArguments, root_network

_Widths = dict[str, int]  # by path of a block, the filters of its first convolution


@dataclass(frozen=True)
class StageView:
    """What is left of one stage of a network: blocks, and filters of their first convolutions."""

    name: str
    num_blocks: int
    root_blocks: int
    num_filters: int
    root_filters: int
    widths: tuple[int, ...] = ()  # of the remaining blocks' first convolutions, in order


def stages(architecture: Mapping[str, object], edits: Sequence[Edit]) -> list[StageView]:
    """The stages after `edits`, against the network that the run began with.

    `architecture` is the root's, with the edits that made the root itself; `edits` are those from
    the root down. Empty for families whose stages are not known.
    """
    network = root_network(architecture)
    if network is None:
        return []
    root = _edited(_built(network.arguments), network.edits)
    left = _edited(root, edits)
    names = [f"layer{n + 1}" for n in range(len(network.arguments.inner_widths))]
    return [_stage(name, _of_stage(root, name), _of_stage(left, name)) for name in names]


def staying(
    architecture: Mapping[str, object], edits: Sequence[Edit], min_blocks: int
) -> dict[str, str]:
    """Why blocks that are left after `edits` are never proposed for removal, by their paths."""
    network = root_network(architecture)
    if network is None:
        return {}
    left = _edited(_edited(_built(network.arguments), network.edits), edits)
    stages: dict[str, list[str]] = {}
    for path in left:
        stages.setdefault(path.rpartition(".")[0], []).append(path)
    reasons: dict[str, str] = {}
    for paths in stages.values():
        if len(paths) <= min_blocks:
            reasons |= dict.fromkeys(paths, f"a stage keeps {min_blocks}")
        reasons[paths[0]] = "first of its stage"
    return reasons | dict.fromkeys(shape_changing(architecture), "changes the shape")


def _built(arguments: ResNetArguments) -> _Widths:
    return {
        f"layer{n + 1}.{index}": width
        for n, widths in enumerate(arguments.inner_widths)
        for index, width in enumerate(widths)
    }


def _edited(widths: _Widths, edits: Sequence[Edit]) -> _Widths:
    left = dict(widths)
    for edit in edits:
        for block in edit.blocks:
            left.pop(block, None)  # one that is not there: `verify` tells of such an edit
        for conv, indices in edit.units:
            if (block := conv.removesuffix(".conv1")) in left:
                left[block] = max(left[block] - len(indices), 0)
    return left


def _of_stage(widths: _Widths, name: str) -> tuple[int, ...]:
    return tuple(width for path, width in widths.items() if path.startswith(f"{name}."))


def _stage(name: str, root: tuple[int, ...], left: tuple[int, ...]) -> StageView:
    return StageView(name, len(left), len(root), sum(left), sum(root), left)


def shape_changing(architecture: Mapping[str, object]) -> set[str]:
    """The blocks that change the shape of the maps, so that they can never be removed."""
    network = root_network(architecture)
    if network is None:
        return set()
    widths = (network.arguments.stem_width, *network.arguments.stage_widths)
    return {
        f"layer{n + 1}.0"
        for n in range(len(widths) - 1)
        if n > 0 or widths[n] != widths[n + 1]  # a later stage halves the maps, too
    }
