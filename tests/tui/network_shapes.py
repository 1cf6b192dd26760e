"""Structures of three sorts of network, small, without torch; and random ways through them."""

from __future__ import annotations

import random

from engine.contracts.edits import FILTER, LAYER, UNIT, Edit
from engine.contracts.structure import Block, Consumer, Member, NetworkStructure, Part, UnitGroup
from explorer.views.network.left import left_along
from explorer.views.network_structure import structure_of_arguments
from explorer.views.node_view import NodeView


def resnet(blocks=(3, 3, 3), widths=(16, 32, 64)) -> NetworkStructure:
    """A CIFAR ResNet."""
    inner = [[width] * count for count, width in zip(blocks, widths, strict=True)]
    arguments = {"stem_width": widths[0], "stage_widths": list(widths), "inner_widths": inner,
                 "shortcut": "A", "num_classes": 10, "in_channels": 3}  # fmt: skip
    found = structure_of_arguments({"factory": "cifar_resnet", "arguments": arguments, "edits": []})
    assert found is not None
    return found


def group(path, kind, count, *tensors, **more) -> UnitGroup:
    members = tuple(Member(name, 0) for name in tensors or (f"{path}.weight",))
    return UnitGroup(path, kind, count, members, **more)


def vit(layers=4, heads=6, neurons=48) -> NetworkStructure:
    """A Transformer: heads and neurons in blocks with halves, and the channels of their stream,
    which are called by the first block's tensor."""
    blocks, groups = [], []
    for index in range(layers):
        path = f"encoder.layers.{index}"
        parts = (Part(f"{path}.attn", heads, "Attention"), Part(f"{path}.mlp", neurons, "MLP"))
        blocks.append(Block(path, "encoder.layers", heads + neurons, "EncoderBlock", parts=parts))
        groups.append(group(f"{path}.attn.qkv", "head", heads, block=path))
        groups.append(group(f"{path}.mlp.fc1", "neuron", neurons, block=path))
    written = [f"encoder.layers.{index}.mlp.fc2.weight" for index in range(layers)]
    stream = group(
        "encoder.layers.0.mlp.fc2", "channel", 24, *written, crosses_blocks=True,
        consumers=(Consumer("head.weight", 1, "head"),),
    )  # fmt: skip
    return NetworkStructure(
        tuple(blocks), (*groups, stream), stage_sizes={"encoder.layers": layers}
    )


def vgg() -> NetworkStructure:
    """A network without blocks."""
    widths = {"features.0": 8, "features.3": 16, "features.7": 32, "features.10": 32}
    groups = [group(path, "filter", width) for path, width in widths.items()]
    return NetworkStructure((), (*groups, group("classifier.0", "neuron", 64)))


SHAPES = {"resnet": resnet(), "vit": vit(), "vgg": vgg()}


def way(root: NetworkStructure, chance: random.Random, steps: int) -> list[Edit]:
    """Random edits one after the other."""
    edits: list[Edit] = []
    for _ in range(steps):
        edit = _edit(left_along(root, edits)[-1].structure, chance)
        if edit is not None:
            edits.append(edit)
    return edits


def _edit(structure: NetworkStructure, chance: random.Random) -> Edit | None:
    layers = [each for each in structure.all_blocks() if getattr(each, "stays", None) is None]
    if len(structure.blocks) > 1 and layers and chance.random() < 0.4:
        return Edit(LAYER, blocks=(chance.choice(layers).path,))
    groups = [each for each in structure.groups if each.num_units > 1]
    if not groups:
        return None
    chosen = chance.sample(groups, chance.randint(1, min(3, len(groups))))
    units = tuple(
        (each.path, tuple(sorted(chance.sample(range(each.num_units), each.num_units // 2))))
        for each in chosen
    )
    return Edit(FILTER if len({each.kind for each in chosen}) == 1 else UNIT, units=units)


def node(name: str, **metrics: float) -> NodeView:
    parent = name.rpartition(".")[0] or None
    return NodeView(name, parent, "layer" if parent else "root", "ready", metrics=metrics)
