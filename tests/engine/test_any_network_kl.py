"""The KL criteria for networks of no family of ours, against one full forward pass a structure."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from any_networks import MAKERS, RESNET, Twin, example
from applying import scores_or_refusal
from networks import CPU, everything, network, scored, small_data
from torch import nn
from unhurried_networks import ODD, InPlace, Remembering, TimeMajor, odd, torch_encoder

from engine.contracts.edits import Edit
from engine.contracts.errors import Cancelled
from engine.contracts.structure import NetworkStructure
from engine.data import normalise
from engine.models.outputs import output_of
from engine.pruning.criteria import CRITERIA, kl_fast_scores, kl_fisher_scores, kl_scores, l1_scores
from engine.pruning.criteria.any_network import exact, gradients
from engine.pruning.criteria.sums import kl_of
from engine.pruning.explicit import explicit
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.pruning.surgery import carry_out
from engine.runtime.attention import attention_in_the_open
from engine.runtime.progress import Monitor
from engine.tasks import ImageTask, examples


def flat(scores) -> np.ndarray:
    return np.array([value for values in scores.units.values() for value in values])


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    ranks = [values.argsort(kind="stable").argsort(kind="stable") for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def plain_kl(model, pruned, data) -> float:
    images = normalise(data.train.pixels_NHWC, data.mean, data.std).contiguous()
    with torch.inference_mode(), attention_in_the_open():
        whole, without = (output_of(net(images)).double() for net in (model, pruned))
        return float(kl_of(without, whole, data.train.labels_N).mean())


def without(model, structure: NetworkStructure, *, block: str = "", unit=("", 0), kind="unit"):
    """A smaller network, as an edit makes it."""
    edit = Edit("layer", blocks=(block,)) if block else Edit(kind, units=((unit[0], (unit[1],)),))
    return carry_out(explicit(edit, structure), model)


def emptied(model, group, unit: int):
    """The network with zeros in all weights that read a unit."""
    changed = copy.deepcopy(model)
    tensors = dict(changed.named_parameters())
    for member in group.members:
        if (member.tensor, member.axis) in {(c.tensor, c.axis) for c in group.consumers}:
            ids = torch.tensor(member.indices((unit,)))
            tensors[member.tensor].data.index_fill_(member.axis, ids, 0)
    return changed


@pytest.mark.parametrize("name", MAKERS)
def test_exact_kl_is_one_full_forward_a_structure(name):
    model, structure = example(name)
    data = small_data(7)
    scores = scored(kl_scores, model, data, structure=structure)
    may_go = {b.path for b in structure.all_blocks() if getattr(b, "stays", None) != "shape"}
    assert set(scores.blocks) == may_go
    for path, found in scores.blocks.items():
        expected = plain_kl(model, without(model, structure, block=path), data)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-9)
    assert [len(v) for v in scores.units.values()] == [g.num_units for g in structure.groups]
    for group in structure.groups:
        for unit, found in enumerate(scores.units[group.path]):
            pruned = without(model, structure, unit=(group.path, unit))
            assert found == pytest.approx(plain_kl(model, pruned, data), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("kind", ODD)
def test_a_network_that_breaks_the_fast_ways_is_scored_right_by_another(kind):
    model, structure = odd(kind)
    data = small_data(7)
    scores = scored(kl_scores, model, data, structure=structure)
    (group,) = structure.groups
    for unit, found in enumerate(scores.units["up"]):
        expected = plain_kl(model, emptied(model, group, unit), data)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_units_that_only_columns_of_weights_can_silence():
    model, structure = torch_encoder()
    data = small_data(6)
    scores = scored(kl_scores, model, data, structure=structure)
    for path in scores.blocks:
        expected = plain_kl(model, without(model, structure, block=path), data)
        assert scores.blocks[path] == pytest.approx(expected, rel=1e-3, abs=1e-9)
    for group in structure.groups:
        for unit, found in enumerate(scores.units[group.path]):
            expected = plain_kl(model, emptied(model, group, unit), data)
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-9)
    # No gradients are taken there: they are exact in the estimates too.
    for criterion in (kl_fast_scores, kl_fisher_scores):
        found = scored(criterion, model, data, structure=structure)
        path = "3.layers.0.self_attn"
        assert found.units[path] == pytest.approx(scores.units[path], rel=1e-5)
        assert found.blocks == pytest.approx(scores.blocks, rel=1e-5)


def test_the_twin_of_a_cifar_resnet_is_scored_as_the_family_is():
    ours = network(RESNET)
    data = small_data(20, classes=4)
    chain = scored(kl_scores, ours, data)
    found = scored(kl_scores, Twin(ours), data, structure=structure_of(ours))
    for path, value in found.blocks.items():
        assert value == pytest.approx(chain.blocks[path], rel=1e-5, abs=1e-10)
    assert flat(found) == pytest.approx(flat(chain), rel=1e-4, abs=1e-9)
    l1 = [scored(l1_scores, n, data, structure=structure_of(ours)) for n in (ours, Twin(ours))]
    assert l1[0].units == l1[1].units
    assert l1[0].blocks == l1[1].blocks


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("criterion", "bound"), [(kl_fast_scores, 0.9), (kl_fisher_scores, 0.7)])
def test_estimates_rank_as_the_exact_kl_does(name, criterion, bound):
    model, structure = example(name)
    data = small_data(60)
    whole = scored(kl_scores, model, data, structure=structure)
    found = scored(criterion, model, data, structure=structure)
    assert found.blocks == pytest.approx(whole.blocks, rel=1e-5)
    print(name, criterion.__name__, spearman(flat(whole), flat(found)))
    assert spearman(flat(whole), flat(found)) > bound


@pytest.mark.parametrize("name", CRITERIA)
def test_the_network_is_left_as_it_was(name):
    model, structure = example("twin of a CIFAR ResNet")
    criterion = CRITERIA[name]
    model.train()
    before = copy.deepcopy(model.state_dict())
    data = small_data()
    first = scored(criterion, model, data, structure=structure)
    assert first == scored(criterion, model, data, structure=structure)
    assert model.training and all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("name", ["depthwise with squeeze-excitation", "ViT with grouped heads"])
@pytest.mark.parametrize("criterion", [kl_scores, kl_fast_scores, kl_fisher_scores])
def test_scores_do_not_depend_on_chunks_packs_or_threads(name, criterion):
    model, structure = example(name)
    data = small_data(40)
    whole = scored(criterion, model, data, structure=structure)
    three = replace(CPU, num_threads=3)
    assert scored(criterion, model, data, three, structure=structure) == whole
    smaller = {"MOST_ITEMS": 7, "MOST_PAIRS": 5, "TASK_PACKS": 3}
    with patch.multiple(exact, **smaller), patch.object(gradients, "MOST_ITEMS", 9):
        parts = scored(criterion, model, data, structure=structure)
    assert parts.blocks == pytest.approx(whole.blocks, rel=1e-5, abs=1e-10)
    assert flat(parts) == pytest.approx(flat(whole), rel=1e-4, abs=1e-9)
    with patch.multiple(exact, KEPT_BYTES=1, PACK_BYTES=1):  # one image, one pair at a time
        least = scored(criterion, model, data, structure=structure)
    assert flat(least) == pytest.approx(flat(whole), rel=1e-4, abs=1e-9)


def test_groups_that_cross_blocks_are_scored_only_where_they_are_asked_for():
    model, structure = example("plain CNN")
    first, *others = structure.groups
    structure = replace(structure, groups=(replace(first, crosses_blocks=True), *others))
    about = (model, structure, *everything(small_data()), CPU)
    for name in CRITERIA:
        usual = scores_or_refusal(name, *about)
        asked = scores_or_refusal(name, *about, crossing=True)
        if usual is None or asked is None:
            continue
        assert list(usual.units) == ["conv2", "fc1"]
        assert list(asked.units) == ["conv1", "conv2", "fc1"]
        assert asked.units["fc1"] == pytest.approx(usual.units["fc1"], rel=1e-5)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("criterion", [kl_scores, kl_fast_scores, kl_fisher_scores])
def test_cancel_is_heard_inside_scoring(criterion, threads):
    stop, seen = threading.Event(), []

    def emit(event):
        seen.append(event)
        stop.set()

    model, structure = example("ViT with grouped heads")
    before = threading.active_count()
    with pytest.raises(Cancelled):
        scored(
            criterion, model, small_data(90), replace(CPU, num_threads=threads),
            structure=structure, monitor=Monitor(emit, stop),
        )  # fmt: skip
    assert len(seen) == 1 and seen[0].done < seen[0].total
    assert threading.active_count() == before


def test_few_images_are_enough():
    model, structure = example("concatenation")
    data = small_data(1)
    scores = scored(kl_scores, model, data, structure=structure)
    expected = plain_kl(model, without(model, structure, unit=("left", 2)), data)
    assert scores.units["left"][2] == pytest.approx(expected, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "way"), [(Remembering, "OneByOne"), (TimeMajor, "OneByOne"), (InPlace, "Packed")]
)
def test_a_way_that_gives_something_else_is_not_taken(kind, way):
    model, structure = odd(kind)
    data = small_data(4)
    with torch.inference_mode():
        found = exact.Exact(model, (), structure, structure.groups, *everything(data), CPU)
    assert type(found.ways["up"]).__name__ == way


class Viewing(nn.Module):
    """Views its maps as rows, which bears no other order in memory than the usual."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 5, 3, 2, 1), nn.Conv2d(5, 4, 3, 2, 1)
        self.fc = nn.Linear(16, 3)

    def forward(self, images):
        maps = self.conv2(self.conv1(images).relu()).relu()
        return self.fc(maps.view(len(maps), -1))


@pytest.mark.parametrize("criterion", [kl_scores, kl_fast_scores, kl_fisher_scores])
def test_a_network_that_views_its_maps_as_rows_is_scored(criterion):
    torch.manual_seed(0)
    model, data = Viewing().eval(), small_data(30)
    structure = find_structure(model, examples(ImageTask(data), 4).inputs)
    scores = scored(criterion, model, data, structure=structure)
    assert sum(scores.units["conv1"]) > 0
    if criterion is kl_scores:
        pruned = without(model, structure, unit=("conv1", 2))
        expected = plain_kl(model, pruned, data)
        assert scores.units["conv1"][2] == pytest.approx(expected, rel=1e-3, abs=1e-9)
