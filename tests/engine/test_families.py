"""Every family keeps the contract that scoring, surgery and similarity rely on."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from networks import CPU, randomise_statistics, scored, small_data

from engine.checkpoints import load
from engine.checkpoints import write as checkpoint
from engine.contracts.codec import decode, encode
from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError, UnknownFamilyError
from engine.contracts.networks import Architecture, DataDescription
from engine.data import ImageData
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.measures.folding import fold_batchnorm
from engine.models import FAMILIES, PROGRAM, architecture_of_name, build
from engine.models.cifar_resnet import arguments_of
from engine.models.families import RECOGNISED
from engine.pruning.criteria import CRITERIA
from engine.pruning.editing import apply, rebuild
from engine.pruning.scores import check_scores
from engine.pruning.structure import structure_of
from engine.tasks import ImageTask
from engine.tasks.images import blank
from engine.training.finetune import train
from engine.training.plan import TrainPlan

# Networks of every family, small enough to train in a second; images are 16 pixels square.
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "cifar_resnet": [
        {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 3], [5, 2]],
         "num_classes": 3},
        {"stem_width": 3, "stage_widths": [3, 4, 6], "inner_widths": [[2, 4, 3], [5], [2, 2]],
         "shortcut": "B", "conv_bias": True, "num_classes": 3, "in_channels": 1},
        {"stem_width": 4, "stage_widths": [5], "inner_widths": [[4, 2, 3]], "shortcut": "conv",
         "num_classes": 3},
        {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 3], [5, 2]],
         "num_classes": 3, "padding": "behind", "subsampling": "average", "stem_pool": True,
         "strides": [2, 2], "bn_eps": 1e-3},
    ],
}  # fmt: skip
EVERY = [(family, arguments) for family in EXAMPLES for arguments in EXAMPLES[family]]
of_every_family = pytest.mark.parametrize(("family", "arguments"), EVERY)


def data_for(model: torch.nn.Module) -> ImageData:
    channels = next(iter(model.parameters())).shape[1]
    return small_data(channels=channels, classes=3, size=16)


def pruned_of(model: torch.nn.Module) -> tuple[torch.nn.Module, tuple[Edit, ...]]:
    """The network after a layer and a filter edit, and these."""
    block = structure_of(model).removable_blocks(1)[0]
    layer = Edit("layer", blocks=(block.path,))
    smaller = apply(layer, model)
    group = next(g for g in structure_of(smaller).groups if g.num_units > 1)
    filters = Edit("filter", units=((group.path, (0,)),))
    return apply(filters, smaller), (layer, filters)


def test_every_family_has_examples():
    # Of the others: test_recognised.py and test_exported.py.
    read_off = set(FAMILIES) - set(RECOGNISED) - {PROGRAM}
    assert set(EXAMPLES) == read_off and all(EXAMPLES.values())


@of_every_family
def test_a_family_builds_the_same_network_from_the_same_arguments_and_seed(family, arguments):
    state = torch.random.get_rng_state()
    first, second, other = (build(family, arguments, seed=s) for s in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    weights = [model.state_dict() for model in (first, second, other)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert any(not torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


@of_every_family
def test_the_arguments_of_a_family_are_json(family, arguments):
    architecture = Architecture(family, arguments)
    again = decode(Architecture, json.loads(json.dumps(encode(architecture))))
    assert again == architecture
    shapes = [
        {k: v.shape for k, v in rebuild(a).state_dict().items()} for a in (architecture, again)
    ]
    assert shapes[0] == shapes[1]


@of_every_family
def test_a_network_s_logits_are_its_classifier_of_its_features(family, arguments):
    model = randomise_statistics(build(family, arguments), 3)
    for network in (model, fold_batchnorm(model)):
        data = data_for(model)
        images = data.train.pixels_NHWC.permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            features = network.features(images)
            assert features.ndim == 2 and len(features) == len(images)
            assert torch.equal(network.classify(features), network(images))
            torch.testing.assert_close(network(images), model(images), rtol=1e-4, atol=1e-4)


@of_every_family
def test_a_family_s_structure_is_its_own_and_every_part_of_it_can_go(family, arguments):
    model = build(family, arguments).eval()
    structure, modules = structure_of(model), dict(model.named_modules())
    assert {block.path for block in structure.blocks} <= set(modules)
    for group in structure.groups:
        assert modules[group.path].weight.shape[0] == group.num_units
        (consumer,) = group.consumers
        assert modules[consumer.module].weight.shape[consumer.axis] == group.num_units
    images = data_for(model).train.pixels_NHWC.permute(0, 3, 1, 2).float()
    edits = [Edit("layer", blocks=(b.path,)) for b in structure.removable_blocks(1)]
    edits += [
        Edit("filter", units=((g.path, (g.num_units - 1,)),))
        for g in structure.groups if g.num_units > 1
    ]  # fmt: skip
    assert {edit.structure for edit in edits} == {"layer", "filter"}
    before = cost_of(model, blank(data_for(model).image_shape_HWC))
    for edit in edits:
        smaller = apply(edit, model)
        assert torch.isfinite(smaller(images)).all()
        after = cost_of(smaller, blank(data_for(model).image_shape_HWC))
        assert after.num_macs < before.num_macs and after.num_params < before.num_params
        left = {b.path for b in structure_of(smaller).blocks}
        assert left == {b.path for b in structure.blocks} - set(edit.blocks)  # names stay


@of_every_family
def test_a_pruned_network_of_a_family_is_rebuilt_and_goes_through_a_checkpoint(
    family, arguments, tmp_path
):
    model = randomise_statistics(build(family, arguments, seed=4), 4)
    pruned, edits = pruned_of(model)
    architecture = Architecture(family, arguments, edits)
    rebuilt = rebuild(architecture).eval()
    rebuilt.load_state_dict(pruned.state_dict())
    checkpoint.save(tmp_path / "x.pt", architecture, pruned.state_dict(), DataDescription(), {})
    loaded = load(tmp_path / "x.pt")
    assert loaded.architecture == architecture and loaded.data is None
    images = data_for(model).train.pixels_NHWC.permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        expected = pruned.eval()(images)
        assert torch.equal(rebuilt(images), expected)
        assert torch.equal(loaded.model(images), expected)


@of_every_family
def test_a_network_of_a_family_pruned_or_not_is_scored_trained_and_measured(family, arguments):
    model = randomise_statistics(build(family, arguments), 5)
    for network in (model, pruned_of(model)[0]):
        data = data_for(model)
        for name in sorted(CRITERIA):
            check_scores(scored(CRITERIA[name], network, data), structure_of(network))
        (epoch,) = train(network, ImageTask(data), TrainPlan(0, 1, 1, seed=1, batch_size=8), CPU)
        assert math.isfinite(epoch.loss)
        found = evaluate(network, ImageTask(data), "test", CPU)
        assert math.isfinite(found.loss) and len(found.features_MD) == len(data.test)


# ------------------------------------------------------------ CIFAR ResNets

NETWORKS = [
    ("resnet20", {"shortcut": "A"}),
    ("resnet20", {"shortcut": "B", "conv_bias": True}),
    ("resnet32", {"shortcut": "conv", "width": 4, "num_classes": 7, "in_channels": 1}),
    ("resnet56", {"width": 2}),
]


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_a_network_is_its_stem_its_blocks_and_its_classifier(name, options):
    architecture = architecture_of_name(name, **options)
    model = build(architecture.factory, architecture.arguments).eval()
    images = torch.randn(2, options.get("in_channels", 3), 16, 16)
    with torch.inference_mode():
        maps = model.stem(images)
        for _, block in model.blocks():
            hidden = block.hidden(maps)
            maps = torch.relu(block.residual(hidden) + block.shortcut(maps))
        logits = model.classify(model.pool(maps))
        assert torch.equal(logits, model(images))
        assert torch.equal(model.pool(maps), model.features(images))
    assert arguments_of(model) == architecture.arguments


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_every_removable_structure_can_be_removed(name, options):
    architecture = architecture_of_name(name, **options)
    model = build(architecture.factory, architecture.arguments).eval()
    structure = structure_of(model)
    blocks_a_stage = (int(name[6:]) - 2) // 6
    assert len(structure.blocks) == 3 * blocks_a_stage
    assert len(structure.removable_blocks(1)) == 3 * (blocks_a_stage - 1)
    images = torch.randn(1, options.get("in_channels", 3), 16, 16)
    for block in structure.removable_blocks(1)[:4]:
        assert torch.isfinite(apply(Edit("layer", blocks=(block.path,)), model)(images)).all()
    for group in structure.groups[:4]:
        edit = Edit("filter", units=((group.path, (0,)),))
        assert torch.isfinite(apply(edit, model)(images)).all()


@pytest.mark.parametrize("name", ["resnet21", "vgg17", "resnet4", "wrn16-0", "densenet41-12"])
def test_names_of_no_family_are_refused(name):
    with pytest.raises(UnknownFamilyError):
        architecture_of_name(name)


def test_an_unknown_network_has_no_structure_and_says_so():
    with pytest.raises(EngineError, match="CIFAR ResNets are"):
        structure_of(torch.nn.Linear(2, 2))
