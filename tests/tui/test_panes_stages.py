"""What is left of a network's stages, against the networks that the engine rebuilds."""

from __future__ import annotations

import random

import pytest

from engine.contracts.codec import decode
from engine.contracts.edits import Edit
from engine.contracts.networks import Architecture
from engine.contracts.structure import Member, NetworkStructure, UnitGroup
from engine.pruning.editing import rebuild
from engine.pruning.structure import structure_of
from explorer.views.network_structure import StageView, stages, structure_of_arguments

ROOT = {
    "factory": "cifar_resnet",
    "arguments": {
        "stem_width": 4,
        "stage_widths": [4, 6, 8],
        "inner_widths": [[4, 3, 4, 4], [6, 6, 2], [8, 8, 8, 7, 8]],
        "shortcut": "A",
        "num_classes": 3,
        "in_channels": 1,
    },
    "edits": [],
}


def rebuilt(architecture):
    """The network of a stored architecture."""
    return rebuild(decode(Architecture, architecture))


def random_edit(structure, draw):
    """Some block or some filters that this network can do without."""
    blocks = [block.path for block in structure.removable_blocks(1)]
    if blocks and draw.random() < 0.4:
        return {"structure": "layer", "blocks": draw.sample(blocks, 1)}
    filters = {}
    for group in structure.groups:
        count = draw.randrange(group.num_units)
        if count and draw.random() < 0.5:
            filters[group.path] = sorted(draw.sample(range(group.num_units), count))
    return {"structure": "filter", "filters": filters}


def measured(structure, root):
    """The stages as the engine sees them."""

    def widths(of, stage):
        return tuple(g.num_units for g in of.groups if g.block.startswith(f"{stage}."))

    names = dict.fromkeys(block.stage for block in root.blocks)
    return [
        StageView(
            name,
            len(widths(structure, name)),
            len(widths(root, name)),
            sum(widths(structure, name)),
            sum(widths(root, name)),
            widths(structure, name),
        )
        for name in names
    ]


@pytest.mark.parametrize("seed", range(6))
def test_stages_are_those_of_the_rebuilt_network_pruned_roots_too(seed):
    draw = random.Random(seed)
    architecture = dict(ROOT)
    edits = []
    for _ in range(seed % 3):  # the root itself was pruned before
        first = structure_of(rebuilt(architecture))
        architecture["edits"] = [*architecture["edits"], random_edit(first, draw)]
    root = structure_of(rebuilt(architecture))
    for _ in range(5):
        first = structure_of_arguments(architecture)
        assert stages(first, [Edit.from_json(edit) for edit in edits]) == measured(
            structure_of(rebuilt({**architecture, "edits": [*architecture["edits"], *edits]})),
            root,
        )
        now = structure_of(rebuilt({**architecture, "edits": [*architecture["edits"], *edits]}))
        edits.append(random_edit(now, draw))


def test_units_outside_of_blocks_are_counted_by_the_module_that_they_lie_in():
    def group(path, count, **told):
        return UnitGroup(path, "neuron", count, (Member(f"{path}.weight", 0),), **told)

    root = NetworkStructure(
        groups=(
            group("features.0", 8),
            group("features.3", 16),
            group("embed", 6),
            group("stream", 4, crosses_blocks=True),
        )
    )
    edit = Edit("neuron", units=(("features.3", (0, 1, 5)),))
    assert stages(root, [edit]) == [
        StageView("features", 0, 0, 21, 24, (8, 13), "neuron"),
        StageView("embed", 0, 0, 6, 6, (6,), "neuron"),
    ]


def test_a_network_whose_structure_is_not_known_has_no_stages():
    foreign = {"factory": "torchvision.models:resnet18", "arguments": {}}
    assert structure_of_arguments(foreign) is None and stages(None, []) == []
