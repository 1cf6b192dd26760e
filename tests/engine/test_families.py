"""Every family keeps the contract that scoring, surgery and similarity rely on."""

from __future__ import annotations

import pytest
import torch

from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError, UnknownFamilyError
from engine.models import FAMILIES, architecture_of_name, build
from engine.models.cifar_resnet import arguments_of
from engine.pruning.structure import structure_of
from engine.pruning.surgery import apply

NETWORKS = [
    ("resnet20", {"shortcut": "A"}),
    ("resnet20", {"shortcut": "B", "conv_bias": True}),
    ("resnet32", {"shortcut": "conv", "width": 4, "num_classes": 7, "in_channels": 1}),
    ("resnet56", {"width": 2}),
]


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_a_network_is_its_stem_its_blocks_and_its_classifier(name, options):
    architecture = architecture_of_name(name, **options)
    model = build(architecture["factory"], architecture["arguments"]).eval()
    images = torch.randn(2, options.get("in_channels", 3), 16, 16)
    with torch.inference_mode():
        maps = model.stem(images)
        for _, block in model.blocks():
            hidden = block.hidden(maps)
            maps = torch.relu(block.residual(hidden) + block.shortcut(maps))
        logits = model.classify(model.pool(maps))
        assert torch.equal(logits, model(images))
        assert torch.equal(model.pool(maps), model.features(images))
    assert arguments_of(model) == architecture["arguments"]


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_every_removable_structure_can_be_removed(name, options):
    architecture = architecture_of_name(name, **options)
    model = build(architecture["factory"], architecture["arguments"]).eval()
    structure = structure_of(model)
    blocks_a_stage = (int(name[6:]) - 2) // 6
    assert len(structure.blocks) == 3 * blocks_a_stage
    assert len(structure.removable_blocks(1)) == 3 * (blocks_a_stage - 1)
    images = torch.randn(1, options.get("in_channels", 3), 16, 16)
    for block in structure.removable_blocks(1)[:4]:
        assert torch.isfinite(apply(Edit("layer", blocks=(block.path,)), model)(images)).all()
    for group in structure.filter_groups[:4]:
        edit = Edit("filter", filters=((group.path, (0,)),))
        assert torch.isfinite(apply(edit, model)(images)).all()


def test_the_same_seed_makes_the_same_network_and_global_randomness_stays():
    arguments = architecture_of_name("resnet8")["arguments"]
    state = torch.random.get_rng_state()
    first, second, other = (build("cifar_resnet", arguments, seed=s) for s in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(first.conv1.weight, second.conv1.weight)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


@pytest.mark.parametrize("name", ["resnet21", "vgg16", "resnet4"])
def test_names_of_no_family_are_refused(name):
    with pytest.raises(UnknownFamilyError):
        architecture_of_name(name)


def test_an_unknown_network_has_no_structure_and_says_so():
    with pytest.raises(EngineError, match="CIFAR ResNets are"):
        structure_of(torch.nn.Linear(2, 2))
    assert set(FAMILIES) == {"cifar_resnet"}
