"""What `--layers halves` and `--units all` let go: halves of Transformer layers, whole streams."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torchvision

from engine.contracts.networks import Scores
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure_after import structure_after
from engine.measures.cost import cost_of
from engine.models.preparations import prepare
from engine.pruning import candidates, editing
from engine.pruning.structure.find import find_structure
from engine.runtime.progress import SILENT
from engine.tasks.images import blank

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
ONE = blank((16, 16, 3))


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    model = torchvision.models.VisionTransformer(
        image_size=16, patch_size=8, num_layers=3, num_heads=4, hidden_dim=16, mlp_dim=24,
        num_classes=5,
    )  # fmt: skip
    torch.nn.init.normal_(model.heads.head.weight)
    prepare(model.eval())
    return model, find_structure(model, IMAGES, SILENT)


def rising(structure) -> Scores:
    """The first structure is the least important one, in the order of the forward pass."""
    blocks = {block.path: float(i) for i, block in enumerate(structure.all_blocks())}
    units = {g.path: tuple(map(float, range(g.num_units))) for g in structure.groups}
    return Scores(blocks, units)


def proposed(model, structure, **settings):
    scoring = ScoringSettings(**settings)
    return candidates.propose(model, structure, rising(structure), scoring, ONE, seed=0)


def test_a_layer_is_a_half_where_halves_are_asked_for_and_the_other_half_can_follow(vit):
    model, structure = vit
    whole, _ = proposed(model, structure)
    half, units = proposed(model, structure, layers="halves")
    block = structure.blocks[0]
    assert whole.blocks == (block.path,) and half.blocks == (block.parts[0].path,)
    costs = [cost_of(editing.apply(edit, model), ONE).num_macs for edit in (whole, half, units)]
    all_of_it = cost_of(model, ONE).num_macs
    assert costs[0] < costs[1] < all_of_it
    # The other candidate is matched with the half; a head of this small network is much.
    assert abs(costs[2] - costs[1]) < abs(costs[2] - costs[0])
    left = structure_after(structure, half)
    assert not left.blocks[0].parts  # the other half is what is left of the block
    smaller = editing.apply(half, model)
    again, _ = proposed(smaller, left, layers="halves", min_blocks=1)
    assert again.blocks == (block.path,)  # least important still
    twice = editing.apply(again, smaller)
    skipped = editing.apply(whole, model)
    torch.testing.assert_close(twice(IMAGES), skipped(IMAGES))


def test_halves_go_even_where_a_stage_may_lose_no_whole_block(vit):
    _, structure = vit
    few = dataclasses.replace(structure, stage_sizes={structure.blocks[0].stage: 9})
    assert not few.removable_layers(3, "blocks")
    assert len(few.removable_layers(3, "halves")) == 6


def test_filters_of_the_stream_go_only_where_all_units_may():
    torch.manual_seed(0)
    block = torchvision.models.resnet.BasicBlock
    model = torchvision.models.ResNet(block, [2, 1, 1, 1], num_classes=5).eval()
    structure = find_structure(model, torch.rand(4, 3, 32, 32), SILENT)
    crossing = {g.path for g in structure.groups if g.crosses_blocks}
    assert "conv1" in crossing  # with all that is added to it
    of_inner, of_all = (proposed(model, structure, units=units)[1] for units in ("inner", "all"))
    assert not crossing & dict(of_inner.units).keys() and crossing <= dict(of_all.units).keys()
    smaller = editing.apply(of_all, model)
    assert smaller(torch.rand(1, 3, 32, 32)).shape == (1, 5)
    gone = len(dict(of_all.units)["conv1"])
    assert smaller.conv1.out_channels == smaller.layer1[0].conv2.out_channels == 64 - gone < 64
    left = structure_after(structure, of_all)
    assert left.num_spare_units("all") == structure.num_spare_units("all") - of_all.num_units
