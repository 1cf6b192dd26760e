"""The structure of any network: blocks, halves, groups, and that nothing is offered unchecked."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
import torchvision.models
from networks import randomise_statistics
from odd_networks import PostNormed, Squeezing, TokenMixer, TorchTransformer
from pruned_and_masked import compared, randomise
from torch import nn

from engine.contracts.edits import LAYER, Edit
from engine.contracts.errors import Cancelled, EngineError
from engine.contracts.structure import Consumer, Member, UnitGroup
from engine.measures.output import output_module_of
from engine.models import build
from engine.models.preparations import prepare
from engine.pruning.explicit import explicit
from engine.pruning.structure import structure_of
from engine.pruning.structure.blocks import find_blocks, may_be_block
from engine.pruning.structure.checks import NO_EFFECT, Checks
from engine.pruning.structure.find import find_structure
from engine.pruning.structure.probing import Removals
from engine.pruning.structure.recording import Example, record, undisturbed
from engine.pruning.surgery import carry_out
from engine.runtime.progress import Monitor


def images(size: int = 32, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 3, size, size, generator=generator)


def small_vit() -> nn.Module:
    return torchvision.models.VisionTransformer(32, 8, 3, 4, 32, 48, num_classes=5)


def small_swin() -> nn.Module:
    return torchvision.models.SwinTransformer([2, 2], 16, [2, 2], [2, 4], [4, 4], num_classes=5)


def small_convnext() -> nn.Module:
    setting = torchvision.models.convnext.CNBlockConfig
    return torchvision.models.ConvNeXt([setting(16, 24, 2), setting(24, None, 2)], num_classes=5)


def made(make) -> nn.Module:
    torch.manual_seed(0)
    model = randomise(make())
    prepare(model)
    return model


# ------------------------------------------------------------ blocks

COUNTS = {  # removable, and with those that change the shape; halves; the output module
    "resnet18": (5, 8, 0, "fc"),
    "mobilenet_v2": (10, 17, 0, "classifier.1"),
}
SLOW_COUNTS = {
    "vgg11": (0, 0, 0, "classifier.6"),
    "resnet50": (12, 16, 0, "fc"),
    "efficientnet_b0": (9, 14, 0, "classifier.1"),
    "vit_b_16": (12, 12, 24, "heads.head"),
    "swin_t": (12, 12, 24, "head"),
    "convnext_tiny": (18, 18, 0, "classifier.2"),
    "densenet121": (0, 0, 0, "classifier"),
    "squeezenet1_1": (0, 0, 0, "classifier.1"),
}


@pytest.mark.parametrize(
    "name",
    [*COUNTS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_COUNTS)],
)
def test_the_blocks_of_well_known_networks(name):
    torch.manual_seed(0)
    model = torchvision.models.get_model(name)
    prepare(model)
    example = Example(images(224 if name.startswith("vit") else 64, batch=1))
    with undisturbed(model):
        recording = record(model, example, may_be_block)
        found = find_blocks(model, recording, Removals(model, example, recording.result))
    told = (
        sum(block.stays is None for block in found.blocks),
        len(found.blocks),
        sum(len(block.parts) for block in found.blocks),
        output_module_of(model, example.inputs),
    )
    assert told == (COUNTS | SLOW_COUNTS)[name]
    assert not found.frozen


def test_a_cifar_resnet_found_by_running_it_is_the_one_that_is_read_off():
    model = randomise_statistics(
        build(
            "cifar_resnet",
            {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 5], [6, 7]]},
        ),
        0,
    )
    read = structure_of(model)
    found = find_structure(model, images())
    assert found.output_module == read.output_module
    for ours, known in zip(found.blocks, read.blocks, strict=True):
        assert (ours.path, ours.stage, ours.num_units) == (
            known.path, known.stage, known.num_units,
        )  # fmt: skip
        assert (ours.stays == "shape") == (known.stays == "shape")
    inside = [group for group in found.groups if group.block is not None]
    for ours, known in zip(inside, read.groups, strict=True):
        assert set(ours.members) == set(known.members)
        assert replace(ours, members=known.members) == known


@pytest.mark.parametrize(
    ("make", "halves"),
    [(small_vit, 2), (small_swin, 2), (small_convnext, 0), (TorchTransformer, 0)],
)
def test_halves_of_transformer_layers_are_only_added(make, halves):
    """Removing both halves of a layer is removing the layer."""
    model = made(make)
    size, output = (16, "0") if make is TorchTransformer else (32, None)
    found = find_structure(model, Example(images(size), output))
    blocks = [block for block in found.blocks if block.stays is None]
    assert blocks and all(len(block.parts) == halves for block in blocks)
    for block in blocks if halves else ():
        whole = explicit(Edit(LAYER, blocks=(block.path,)), found)
        both = explicit(Edit(LAYER, blocks=tuple(part.path for part in block.parts)), found)
        with torch.no_grad():
            outputs = [carry_out(edit, model)(images()) for edit in (whole, both)]
        torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-6)
        assert sum(part.num_units for part in block.parts) == block.num_units


def test_a_block_that_runs_several_times_is_none():
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.block = torchvision.models.resnet.BasicBlock(8, 8)
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.stem(x)
            for _ in range(3):
                x = self.block(x)
            return self.head(x.mean((2, 3)))

    found = find_structure(made(Shared), images())
    assert not found.blocks
    assert found.frozen["block"] == "it runs 3 times in one forward pass"


def test_a_block_without_which_the_network_does_not_run_stays_and_says_why():
    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.layers = nn.ModuleList(
                torchvision.models.resnet.BasicBlock(8, 8) for _ in range(2)
            )
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.stem(x)
            for layer in self.layers:
                x = layer(x) * layer.conv1.weight.shape[2] / 3
            assert len(self.layers) == 2
            return self.head(x.mean((2, 3)))

    found = find_structure(made(Looking), images())
    # A hollow copy has attributes, but weights of no shape.
    assert set(found.frozen) >= {"layers.0", "layers.1"} and not found.blocks
    assert "does not run without it: IndexError" in found.frozen["layers.0"]


# ------------------------------------------------------------ what is offered holds


@pytest.mark.parametrize(
    "make",
    [small_vit, small_swin, small_convnext, PostNormed, Squeezing, TokenMixer,
     pytest.param(lambda: torchvision.models.resnet18(num_classes=5), marks=pytest.mark.slow)],
    ids=["vit", "swin", "convnext", "post-norm", "squeeze-excite", "mixer", "resnet18"],
)  # fmt: skip
def test_all_that_is_offered_can_be_removed_as_if_it_were_masked(make):
    model = made(make)
    size = 16 if make in (PostNormed, Squeezing, TokenMixer) else 32
    found = find_structure(model, Example(images(size), "0" if make is PostNormed else None))
    assert found.groups
    chance = random.Random(1)
    x = images(size, batch=3)
    for group in found.groups:
        units = tuple(sorted(chance.sample(range(group.num_units), group.num_units // 2)))
        result = compared([group], [units], model, lambda m: m(x))
        assert result.holds, (group.path, result)
    inside = {block.path: 0 for block in found.blocks}
    for group in found.groups:
        if group.block is not None:
            assert all(m.tensor.startswith(f"{group.block}.") for m in group.members)
            inside[group.block] += group.num_units
    assert all(block.num_units >= inside[block.path] for block in found.blocks)
    paths = Counter(group.path for group in found.groups)
    assert not set(paths) & set(found.frozen) and max(paths.values()) == 1


def test_the_network_is_left_as_it_was():
    model = made(small_vit).train()
    model.encoder.layers[0].eval()
    modes = [module.training for module in model.modules()]
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modules = dict(model.named_modules())
    state, fast = torch.random.get_rng_state(), torch.backends.mha.get_fastpath_enabled()
    find_structure(model, images())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.state_dict().items())
    assert list(model.named_modules()) == list(modules.items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.backends.mha.get_fastpath_enabled() == fast


# ------------------------------------------------------------ checks


class Plain(nn.Module):
    """Two convolutions inside a network whose output is multiplied by `scale`."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 12, 3), nn.Conv2d(12, 8, 3)
        self.conv3 = nn.Conv2d(12, 8, 3)
        self.head = nn.Linear(8, 5)
        self.scale = scale

    def forward(self, x):
        x = F.relu(self.conv1(x))
        return self.head((self.conv2(x) * self.scale + self.conv3(x)).mean((2, 3)))


def group_of(*members: Member, consumers: tuple[Consumer, ...] = ()) -> UnitGroup:
    return UnitGroup("conv1", "filter", 12, members, consumers)


FILTERS = (Member("conv1.weight", 0), Member("conv1.bias", 0))
BOTH = (Consumer("conv2.weight", 1, "conv2"), Consumer("conv3.weight", 1, "conv3"))
READ = (Member("conv2.weight", 1), Member("conv3.weight", 1))


def checked(model: nn.Module, *groups: UnitGroup):
    example = Example(images(8))
    with undisturbed(model):
        recording = record(model, example, may_be_block)
        return Checks(model, example, recording).of(groups)


def test_a_group_that_is_right_is_offered():
    right = group_of(*FILTERS, *READ, consumers=BOTH)
    assert checked(made(Plain), right).groups == (right,)


def test_columns_are_masked_where_no_module_has_the_input():
    unmaskable = tuple(replace(consumer, maskable=False) for consumer in BOTH)
    right = group_of(*FILTERS, *READ, consumers=unmaskable)
    assert checked(made(Plain), right).groups == (right,)


def test_a_group_that_lacks_a_tensor_is_kept_out_because_nothing_runs():
    lacking = group_of(*FILTERS, READ[0], consumers=BOTH)
    found = checked(made(Plain), lacking)
    assert not found.groups
    assert "does not run without some of it: RuntimeError" in found.frozen["conv1"]


def test_a_group_that_names_the_wrong_units_is_kept_out_for_the_difference():
    """Everything fits together, and computes something else."""
    backwards = Member("conv2.weight", 1, first=11, step=-1)
    wrong = group_of(*FILTERS, backwards, READ[1], consumers=BOTH)
    # The mask follows the members, so only what is read shows it.
    model = made(Plain)
    shifted = replace(
        wrong, members=(Member("conv1.weight", 0, first=11, step=-1), *wrong.members[1:])
    )
    for group in (wrong, shifted):
        found = checked(model, group)
        assert not found.groups
        assert "off by" in found.frozen["conv1"]


def test_units_that_happen_to_do_nothing_are_checked_on_other_numbers():
    model = made(Plain)
    with torch.no_grad():
        for conv in (model.conv2, model.conv3):
            conv.weight.zero_()
    right = group_of(*FILTERS, *READ, consumers=BOTH)
    assert checked(model, right).groups == (right,)


def test_what_can_have_no_effect_is_kept_out():
    class Blind(Plain):
        def forward(self, x):
            x = F.relu(self.conv1(x))
            return self.head(((self.conv2(x) + self.conv3(x)) * 0 + x.shape[0]).mean((2, 3)))

    found = checked(made(Blind), group_of(*FILTERS, *READ, consumers=BOTH))
    assert not found.groups and found.frozen == {"conv1": NO_EFFECT}


def test_one_bad_group_keeps_no_other_out():
    model = made(small_convnext)
    groups = find_structure(model, images()).groups
    bad = next(group for group in groups if group.block == "features.3.1")
    broken = replace(bad, members=bad.members[1:])
    example = Example(images(batch=1))
    with undisturbed(model):
        recording = record(model, example, may_be_block)
        given = [broken if group is bad else group for group in groups]
        found = Checks(model, example, recording).of(given)
    assert list(found.frozen) == [bad.path]
    assert found.groups == tuple(group for group in groups if group is not bad)


# ------------------------------------------------------------ refusals


class Classifier(nn.Module):
    """A small network to be varied."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3)
        self.head = nn.Linear(8, 5)

    def features(self, x):
        return F.relu(self.conv(F.relu(self.stem(x)))).mean((2, 3))

    def forward(self, x):
        return self.head(self.features(x))


class Dropping(Classifier):
    def forward(self, x):
        return F.dropout(super().forward(x), 0.5)


class TwoOutputs(Classifier):
    def forward(self, x):
        x = self.features(x)
        return {"scores": self.head(x), "features": x}


class NoTensor(Classifier):
    def forward(self, x):
        return "a cat"


class NotFinite(Classifier):
    def forward(self, x):
        return super().forward(x) / 0


class OnlyHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 16 * 16, 5)

    def forward(self, x):
        return self.head(x.flatten(1))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Dropping, r"another output each time.*drawn at random.*make its forward pass determ"),
        (TwoOutputs, r"gives 2 outputs \('scores' of 2×5, 'features' of 2×8\).*--output scores"),
        (NoTensor, r"gives no tensor but a str; it has to give one of logits"),
        (NotFinite, r"on images of 3×16×16 is not finite"),
        (OnlyHead, r"nothing can be removed from this OnlyHead \(head: the network's output\)"),
        (lambda: nn.Conv2d(4, 8, 3), r"does not run on images of 3×16×16.*--input CxHxW"),
    ],
)
def test_a_network_that_cannot_be_explored_is_refused_with_a_way_on(make, words):
    with pytest.raises(EngineError, match=words):
        find_structure(made(make), images(16))


def test_one_of_several_outputs_can_be_named():
    found = find_structure(made(TwoOutputs), Example(images(16), output="scores"))
    assert found.output_module == "head"
    with pytest.raises(EngineError, match="no output 'logits'; it gives 'scores'"):
        find_structure(made(TwoOutputs), Example(images(16), output="logits"))


def test_logits_are_taken_without_being_named():
    class Output(dict):
        """As transformers gives them."""

    class Library(Classifier):
        def forward(self, x):
            x = self.features(x)
            return Output(hidden=x, logits=self.head(x))

    assert find_structure(made(Library), images(16)).output_module == "head"


def test_progress_is_told_by_phases_and_work_stops_when_asked():
    model = made(small_vit)
    events = []
    find_structure(model, images(), Monitor(events.append))
    phases = list(dict.fromkeys(event.phase for event in events))
    assert phases == [
        "looking for blocks",
        "following filters, neurons and heads",
        "trying what shrinks with them",
        "checking each",
        "checking all together",
    ]
    assert all(0 <= event.done <= event.total for event in events)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        find_structure(model, images(), Monitor(stop=stop))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.slow
def test_images_are_made_smaller_where_that_tells_the_same():
    """A network's structure does not depend on how large its images are."""
    model = made(lambda: torchvision.models.mobilenet_v3_small(num_classes=5))
    large, small = (find_structure(model, images(size)) for size in (128, 64))
    assert large == small


class Perhaps(nn.Module):
    """A module that adds to what it gets, or does not, as it was told."""

    def __init__(self, adds: bool) -> None:
        super().__init__()
        self.adds = adds
        self.first, self.second = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1)

    def forward(self, x):
        inner = self.second(F.relu(self.first(x)))
        return x + inner if self.adds else inner


def test_modules_of_one_class_that_were_told_other_things_are_not_alike():
    model = nn.Sequential(
        nn.Conv2d(3, 6, 1),
        nn.Sequential(*(Perhaps(adds) for adds in (True, False, True, True, False))),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )
    found = find_structure(made(lambda: model), images(8))
    assert [block.path for block in found.blocks if block.stays is None] == ["1.0", "1.2", "1.3"]
