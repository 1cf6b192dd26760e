"""What can be removed from a network: residual blocks and groups of filters."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from engine.contracts.errors import EngineError
from engine.models.cifar_resnet import CifarResNet


@dataclass(frozen=True)
class FilterGroup:
    """Prunable filters: those of the convolution `path`, seen only by `norm` and `consumer`."""

    path: str
    block: str
    num_filters: int
    norm: str | None
    consumer: str


@dataclass(frozen=True)
class Block:
    """A residual block; `num_filters` counts the filters of all its convolutions."""

    path: str
    stage: str
    changes_shape: bool
    first_of_stage: bool
    num_filters: int


@dataclass(frozen=True)
class NetworkStructure:
    """The blocks in the order of the forward pass, and the filter groups inside them."""

    blocks: tuple[Block, ...]
    filter_groups: tuple[FilterGroup, ...]

    def removable_blocks(self, min_blocks: int) -> tuple[Block, ...]:
        """Blocks that may go: not a stage's first, and `min_blocks` stay in each stage."""
        sizes: dict[str, int] = {}
        for block in self.blocks:
            sizes[block.stage] = sizes.get(block.stage, 0) + 1
        return tuple(
            block
            for block in self.blocks
            if not block.first_of_stage
            and not block.changes_shape
            and sizes[block.stage] > min_blocks
        )

    @property
    def num_spare_filters(self) -> int:
        """How many filters could go at most: one stays in every convolution."""
        return sum(group.num_filters - 1 for group in self.filter_groups)


def structure_of(model: nn.Module) -> NetworkStructure:
    """The structure of a network of a known family. Raises EngineError for any other."""
    if not isinstance(model, CifarResNet):
        raise EngineError(
            f"{type(model).__name__} is not a network whose structure is known; "
            "CIFAR ResNets are (see docs/networks.md)"
        )
    blocks, groups = [], []
    seen_stages: set[str] = set()
    for path, block in model.blocks():
        stage = path.rpartition(".")[0]
        blocks.append(
            Block(
                path=path,
                stage=stage,
                changes_shape=not isinstance(block.shortcut, nn.Identity),
                first_of_stage=stage not in seen_stages,
                num_filters=block.conv1.out_channels + block.conv2.out_channels,
            )
        )
        seen_stages.add(stage)
        groups.append(
            FilterGroup(
                path=f"{path}.conv1",
                block=path,
                num_filters=block.conv1.out_channels,
                norm=f"{path}.bn1",
                consumer=f"{path}.conv2",
            )
        )
    return NetworkStructure(tuple(blocks), tuple(groups))
