"""The structure of a CIFAR ResNet, read off its modules: it need not be run."""

from __future__ import annotations

from torch import nn

from engine.contracts.structure import Block, Consumer, Member, NetworkStructure, UnitGroup
from engine.models.cifar_resnet import BasicBlock, CifarResNet


def structure_of_cifar_resnet(model: CifarResNet) -> NetworkStructure:
    """Its residual blocks, and the filters of each one's first convolution."""
    blocks, groups = [], []
    seen_stages: set[str] = set()
    for path, block in model.blocks():
        stage = path.rpartition(".")[0]
        blocks.append(
            Block(
                path=path,
                stage=stage,
                num_units=block.conv1.out_channels + block.conv2.out_channels,
                kind=type(block).__name__,
                how="residual+act",
                stays=_why_it_stays(block, stage not in seen_stages),
            )
        )
        seen_stages.add(stage)
        groups.append(_filters_of(path, block))
    return NetworkStructure(tuple(blocks), tuple(groups), output_module="fc", read_off=True)


def _why_it_stays(block: BasicBlock, is_first: bool) -> str | None:
    if not isinstance(block.shortcut, nn.Identity):
        return "shape"
    return "first" if is_first else None


def _filters_of(path: str, block: BasicBlock) -> UnitGroup:
    made = [f"conv1.{name}" for name, _ in block.conv1.named_parameters(recurse=False)]
    norm = block.bn1
    tensors = [*norm.named_parameters(recurse=False), *norm.named_buffers(recurse=False)]
    followed = [f"bn1.{name}" for name, tensor in tensors if tensor.dim() == 1]
    return UnitGroup(
        path=f"{path}.conv1",
        kind="filter",
        num_units=block.conv1.out_channels,
        members=(
            *(Member(f"{path}.{name}", 0) for name in (*made, *followed)),
            Member(f"{path}.conv2.weight", 1),
        ),
        consumers=(Consumer(f"{path}.conv2.weight", 1, f"{path}.conv2"),),
        block=path,
    )
