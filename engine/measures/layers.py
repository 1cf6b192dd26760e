"""Which layers of a network a comparison looks at, and what they give as rows of features.

Shape legend: B items, M rows, D features, H height, W width, T tokens. "…" is what an item's rows
are along.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.structure import NetworkStructure
from engine.tasks import IGNORED, Batch


def layers_of(
    structure: NetworkStructure, representation: str, gone: Collection[str] = ()
) -> dict[str, str]:
    """The layers of a representation by name, each with the block that gives it; `gone` are blocks
    that an edit removes.

    `all`: every block, by its path, so a removed block has no layer. `stages`: the last block that
    a stage still has, by the stage. Raises EngineError where a network has no blocks.
    """
    if representation == "penultimate":
        return {}
    blocks = [block for block in structure.blocks if block.path not in gone]
    if not blocks:
        raise EngineError(
            f"--representation {representation} compares what blocks give, and this network has "
            "none that is known; use --representation penultimate"
        )
    by_stage = representation == "stages"
    return {block.stage if by_stage else block.path: block.path for block in blocks}


class LayersSeen:
    """What modules of a network that belongs to one thread gave last."""

    def __init__(self, model: nn.Module, paths: Sequence[str]) -> None:
        self._paths = paths
        self._seen: dict[str, Tensor] = {}
        self._channels_first = {}
        for path in paths:
            module = model.get_submodule(path)
            module.register_forward_hook(self._hook(path))
            self._channels_first[path] = any(type(m) is nn.Conv1d for m in module.modules())

    def _hook(self, path: str) -> Any:
        def see(module: nn.Module, args: Any, result: Any) -> None:
            first = result[0] if isinstance(result, list | tuple) and result else result
            if isinstance(first, Tensor):
                self._seen[path] = first

        return see

    def rows(self, batch: Batch) -> tuple[Tensor, ...]:
        """The rows (M, D) of each layer for the batch that went through, which are forgotten.

        Raises EngineError where a layer gave no tensor with a row an item.
        """
        seen, self._seen = self._seen, {}
        return tuple(self._rows_of(path, seen.get(path), batch) for path in self._paths)

    def _rows_of(self, path: str, seen: Tensor | None, batch: Batch) -> Tensor:
        targets = batch.targets
        if seen is None or seen.dim() < 2 or len(seen) != len(batch):
            raise EngineError(
                f"the block {path} gives no tensor of features for each item, so it cannot be "
                "compared; use --representation penultimate"
            )
        if targets.dim() == 1:
            return pooled(seen.float(), self._channels_first[path])
        here = targets != IGNORED
        if seen.shape[: targets.dim()] == targets.shape:
            return seen[here].flatten(1).float()
        features_BD = pooled(seen.float(), self._channels_first[path])
        return features_BD.reshape(len(batch), *[1] * (targets.dim() - 1), -1).expand(
            *targets.shape, -1
        )[here]


def pooled(maps: Tensor, channels_first: bool) -> Tensor:
    """A row an item: maps (B, D, H, W) averaged over pixels, tokens (B, T, D) over tokens.

    Pixels lie behind the channels unless the sizes say otherwise (B, H, W, D of Swin); signals
    (B, D, T) have their channels first where the block has one-dimensional convolutions.
    """
    if maps.dim() == 4:
        _, a, b, c = maps.shape
        return maps.mean((1, 2)) if a == b != c else maps.flatten(2).mean(2)
    if maps.dim() > 2:
        return maps.flatten(2).mean(2) if channels_first else maps.flatten(1, -2).mean(1)
    return maps


def pairs_of(
    of_parent: Mapping[str, Tensor], of_candidate: Mapping[str, Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """The layers that both have, by their names, in the parent's order."""
    return [(x, of_candidate[name]) for name, x in of_parent.items() if name in of_candidate]
