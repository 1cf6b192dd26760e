"""What each criterion is, by a second derivation, and what leaves its scores as they are."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from any_networks import example
from networks import CPU, everything, network, scored, small_data
from torch import nn

from engine.contracts.errors import CriterionError
from engine.contracts.structure import Consumer, Member, NetworkStructure, UnitGroup
from engine.data import normalise
from engine.measures.folding import fold_batchnorm
from engine.pruning.criteria import CRITERIA, relevance
from engine.pruning.structure import structure_of

RESNET = {"stem_width": 4, "stage_widths": [4], "inner_widths": [[6, 4]], "num_classes": 3}
GROUP = "layer1.0.conv1"
APPLY_TO_RESNETS = sorted(set(CRITERIA) - {"random"})


class Chain(nn.Module):
    """Convolutions and rectifiers without biases: each layer is all that the logits come from."""

    def __init__(self, bias: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 3, padding=1, bias=bias)
        self.conv2 = nn.Conv2d(5, 6, 3, 2, padding=1, bias=bias)
        self.conv3 = nn.Conv2d(6, 4, 3, padding=1, bias=bias)
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(4, 3, bias=bias)

    def forward(self, x):
        x = self.pool(self.conv2(self.conv1(x).relu()).relu())
        return self.fc(self.conv3(x).relu().mean((2, 3)))


def chain(seed: int = 0) -> tuple[Chain, NetworkStructure]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = Chain().eval()
    groups = tuple(
        UnitGroup(
            made,
            "filter",
            count,
            (Member(f"{made}.weight", 0), Member(f"{read}.weight", 1)),
            (Consumer(f"{read}.weight", 1, read),),
        )
        for made, read, count in (("conv1", "conv2", 5), ("conv2", "conv3", 6), ("conv3", "fc", 4))
    )
    return model, NetworkStructure(groups=groups)


def inputs_of(data):
    return normalise(data.train.pixels_NHWC, data.mean, data.std).contiguous()


def read_by(model, path: str, data):
    """What a module gets of all images."""
    got = []
    module = model.get_submodule(path)
    handle = module.register_forward_pre_hook(lambda _, args: got.append(args[0].detach().clone()))
    with torch.no_grad():
        model(inputs_of(data))
    handle.remove()
    return got[0]


# ------------------------------------------------------------ definitions


def losses(model, data, path: str, scale_of: int, scale: float):
    """The loss of each image where one channel that a module reads is scaled."""

    def scaled(_, args):
        factors = torch.ones(args[0].shape[1], dtype=args[0].dtype)
        factors[scale_of] = scale
        return args[0] * factors.reshape(1, -1, *[1] * (args[0].dim() - 2))

    module = model.get_submodule(path)
    handle = module.register_forward_pre_hook(scaled)
    with torch.no_grad():
        logits = model(inputs_of(data).double())
    handle.remove()
    return F.cross_entropy(logits, data.train.labels_N, reduction="none")


def test_taylor_is_the_derivative_of_the_loss_in_a_units_scale():
    """a · dL/da is dL/ds where a unit gives s · a: here by finite differences."""
    model, structure = chain()
    data = small_data(12)
    found = scored(CRITERIA["taylor"], model, data, structure=structure)
    exact, step = copy.deepcopy(model).double(), 1e-5
    for group in structure.groups:
        (consumer,) = group.consumers
        for unit, score in enumerate(found.units[group.path]):
            more, less = (
                losses(exact, data, consumer.module, unit, 1 + sign * step) for sign in (1, -1)
            )
            expected = float(((more - less) / (2 * step)).abs().mean())
            assert score == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_taylor_of_a_block_is_the_derivative_in_the_scale_of_what_it_adds():
    model, structure = network(RESNET), structure_of(network(RESNET))
    data, step = small_data(12), 1e-5
    found = scored(CRITERIA["taylor"], model, data).blocks
    exact = fold_batchnorm(model).double()
    for path in found:
        block = exact.get_submodule(path)

        def loss(scale, block=block):
            handle = block.register_forward_hook(
                lambda _, args, out: args[0] + scale * (out - args[0])
            )
            with torch.no_grad():
                logits = exact(inputs_of(data).double())
            handle.remove()
            return F.cross_entropy(logits, data.train.labels_N, reduction="none")

        expected = float(((loss(1 + step) - loss(1 - step)) / (2 * step)).abs().mean())
        assert found[path] == pytest.approx(expected, rel=1e-3, abs=1e-7)
    assert set(found) == {block.path for block in structure.blocks}


def test_activation_and_fluctuation_are_norm_and_variance_times_the_columns():
    model, structure = chain()
    data = small_data(12)
    wanda = scored(CRITERIA["activation"], model, data, structure=structure).units
    flap = scored(CRITERIA["fluctuation"], model, data, structure=structure).units
    for group in structure.groups:
        path = group.consumers[0].module
        got, weight = read_by(model, path, data), model.get_submodule(path).weight.detach()
        for unit in range(group.num_units):
            values, column = got[:, unit].double(), weight[:, unit].double()
            expected = column.abs().mean() * values.square().mean().sqrt()
            assert wanda[group.path][unit] == pytest.approx(float(expected), rel=1e-5)
            expected = values.flatten().var() * column.square().sum()
            assert flap[group.path][unit] == pytest.approx(float(expected), rel=1e-4, abs=1e-9)


def test_a_batch_norm_counts_with_the_convolution_before_it():
    """Weights that a batch norm behind them scales back have the score that they had."""
    model = network(RESNET)
    scaled = copy.deepcopy(model)
    block = scaled.get_submodule("layer1.0")
    with torch.no_grad():
        block.conv2.weight *= 8
        block.bn2.running_mean *= 8
        block.bn2.running_var *= 64
        block.bn2.running_var += block.bn2.eps * 63  # so that eps weighs as much
    data = small_data()
    for name in ("activation", "fluctuation", "taylor", "taylor-act", "lrp", "hrank", "bn-scale"):
        before, after = (scored(CRITERIA[name], net, data).units for net in (model, scaled))
        assert after[GROUP] == pytest.approx(before[GROUP], rel=1e-4, abs=1e-9)
    before, after = (scored(CRITERIA["l1"], net, data).units for net in (model, scaled))
    assert after[GROUP] == before[GROUP]  # of what makes a unit, not of what reads it


def test_taylor_act_is_taylor_times_the_norm_for_a_unit_of_one_channel():
    model, structure = chain()
    data = small_data(12)
    names = ("taylor", "taylor-act")
    taylor, both = (scored(CRITERIA[n], model, data, structure=structure).units for n in names)
    for group in structure.groups:
        got = read_by(model, group.consumers[0].module, data).double()
        axes = [0, *range(2, got.dim())]
        expected = torch.tensor(taylor[group.path]) * got.square().mean(axes).sqrt()
        assert both[group.path] == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-9)


def test_hrank_is_the_mean_of_numpys_ranks():
    model = network(RESNET)
    data = small_data(9)
    found = scored(CRITERIA["hrank"], model, data).units[GROUP]
    maps_NCHW = read_by(fold_batchnorm(model), "layer1.0.conv2", data).numpy()
    expected = np.linalg.matrix_rank(maps_NCHW).mean(0)
    assert found == pytest.approx(expected.tolist(), abs=0.5)  # a rank is read off rounded numbers
    assert max(found) > 1


def test_l2_and_fpgm_are_root_mean_squares_of_weights_and_of_their_differences():
    model = network(RESNET)
    weight = model.get_submodule(GROUP).weight.detach().double().flatten(1)
    data = small_data()
    expected = weight.square().mean(1).sqrt().tolist()
    assert scored(CRITERIA["l2"], model, data).units[GROUP] == pytest.approx(expected)
    found = scored(CRITERIA["fpgm"], model, data).units[GROUP]
    for unit in range(len(weight)):
        apart = [(weight[unit] - other).square().mean().sqrt() for other in weight]
        assert found[unit] == pytest.approx(float(sum(apart)) / (len(weight) - 1))


def test_fpgm_ranks_the_filter_lowest_that_two_others_repeat():
    model = network(RESNET)
    weight = model.get_submodule(GROUP).weight
    with torch.no_grad():
        weight[1] = weight[4] = weight[0] * 3
        weight[0] *= 3  # the largest of all: by magnitude they would stay
    scores = scored(CRITERIA["fpgm"], model, small_data()).units[GROUP]
    assert scores[0] == scores[1] == scores[4] == min(scores)


def test_bn_scale_is_the_absolute_gamma_behind_the_convolution():
    model = network(RESNET)
    norm = model.get_submodule("layer1.0.bn1")
    with torch.no_grad():
        norm.weight[2] *= -1
    found = scored(CRITERIA["bn-scale"], model, small_data())
    assert found.units[GROUP] == pytest.approx(norm.weight.abs().tolist())
    block = model.get_submodule("layer1.1")
    gammas = torch.cat([block.bn1.weight, block.bn2.weight]).detach().abs()
    assert found.blocks["layer1.1"] == pytest.approx(float(gammas.mean()))


def test_random_follows_the_items_alone():
    model, other = network(RESNET), network(RESNET, seed=3)
    task, items = everything(small_data())
    criterion = CRITERIA["random"]
    first = criterion(model, structure_of(model), task, items, CPU)
    assert criterion(other, structure_of(other), task, items, CPU) == first
    assert criterion(model, structure_of(model), task, items[1:], CPU).units != first.units
    values = [value for values in first.units.values() for value in values]
    assert len(set(values)) == len(values) and all(0 <= value < 1 for value in values)


# ------------------------------------------------------------ relevance


def test_relevance_is_handed_on_whole_where_there_are_no_biases():
    """Of one image: through every layer goes what its own logit is."""
    model, structure = chain()
    data = small_data(1)
    with torch.no_grad():
        logits = model(inputs_of(data))
    label = int(data.train.labels_N[0])
    signed = replace(relevance.LRP, statistic=_signed_relevance)
    found = scored(signed, model, data, structure=structure).units
    for values in found.values():
        assert sum(values) == pytest.approx(float(logits[0, label]), rel=1e-4)


def _signed_relevance(place, signals):
    return [place.per_unit([signal.changes_BC for signal in signals]).double().sum(0)]


def test_relevance_goes_back_by_the_epsilon_rule_as_its_definition_has_it(monkeypatch):
    """With an epsilon that matters, against the rule written out for two dense layers."""
    monkeypatch.setattr(relevance, "EPSILON", 0.3)
    model, structure = chain()
    data = small_data(6)
    found = scored(CRITERIA["lrp"], model, data, structure=structure).units["conv3"]
    a_BC = read_by(model, "fc", data).double()
    weight_KC = model.fc.weight.detach().double()
    z_BK = a_BC @ weight_KC.T
    rows = torch.arange(len(a_BC))
    labels = data.train.labels_N
    z_B = z_BK[rows, labels]
    passed_B = z_B / (z_B + 0.3 * torch.where(z_B < 0, -1.0, 1.0))  # relevance z at the output
    expected = (a_BC * weight_KC[labels] * passed_B[:, None]).abs().mean(0)
    assert found == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", ["ViT with grouped heads", "depthwise with squeeze-excitation"])
def test_relevance_is_refused_where_it_would_be_lost(name):
    model, structure = example(name)
    with pytest.raises(CriterionError, match=r"lrp.*piecewise linear.*--criterion kl-fast"):
        scored(CRITERIA["lrp"], model, small_data(8), structure=structure)


@pytest.mark.parametrize(("name", "path"), [("bn-scale", "fc1"), ("hrank", "fc1")])
def test_a_criterion_names_what_it_does_not_apply_to(name, path):
    model, structure = example("plain CNN")
    with pytest.raises(CriterionError, match=rf"--criterion {name} .*{path}.*another one ranks"):
        scored(CRITERIA[name], model, small_data(8), structure=structure)


# ------------------------------------------------------------ invariances


@pytest.mark.parametrize("name", APPLY_TO_RESNETS)
def test_scores_go_with_their_units(name):
    """Filters in another order, with all that belongs to them: the same scores in that order."""
    model = network(RESNET)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    other = copy.deepcopy(model)
    block = other.get_submodule("layer1.0")
    with torch.no_grad():
        block.conv1.weight.copy_(block.conv1.weight[order])
        for tensor in (*block.bn1.parameters(), block.bn1.running_mean, block.bn1.running_var):
            tensor.copy_(tensor[order])
        block.conv2.weight.copy_(block.conv2.weight[:, order])
    data = small_data()
    before, after = (scored(CRITERIA[name], net, data) for net in (model, other))
    expected = [before.units[GROUP][unit] for unit in order]
    assert after.units[GROUP] == pytest.approx(expected, rel=2e-3, abs=1e-7)
    for path, score in before.blocks.items():
        assert after.blocks[path] == pytest.approx(score, rel=2e-3, abs=1e-7)


@pytest.mark.parametrize(
    "name",
    ["kl", "kl-fast", "kl-fisher", "taylor", "taylor-act", "activation", "fluctuation", "hrank",
     "lrp"],
)  # fmt: skip
def test_a_filter_that_gives_nothing_scores_nothing(name):
    model = network(RESNET)
    norm = model.get_submodule("layer1.0.bn1")
    with torch.no_grad():
        norm.weight[2], norm.bias[2] = 0, -1
    scores = scored(CRITERIA[name], model, small_data()).units[GROUP]
    assert scores[2] == 0 == min(scores) and max(scores) > 0


@pytest.mark.parametrize("name", ["l1", "l2", "bn-scale", "fluctuation"])
def test_a_filter_of_zeros_or_a_constant_one_scores_least(name):
    """What the weights alone say, and what a bias can stand in for: it gives one everywhere."""
    model = network(RESNET)
    block = model.get_submodule("layer1.0")
    with torch.no_grad():
        block.conv1.weight[2] = 0
        block.bn1.weight[2], block.bn1.bias[2] = 0, 1
    scores = scored(CRITERIA[name], model, small_data()).units[GROUP]
    assert scores[2] == pytest.approx(0, abs=1e-9) and sorted(scores)[1] > 1e-6


@pytest.mark.parametrize("name", ["taylor", "lrp", "kl-fisher", "activation"])
def test_what_one_layer_gains_and_the_next_one_loses_changes_no_score(name):
    """A rectifier lets scales through: conv1 times c, conv2's columns by c is the same network."""
    model, structure = chain()
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.conv1.weight *= 4
        other.conv2.weight /= 4
    data = small_data(12)
    before, after = (
        scored(CRITERIA[name], net, data, structure=structure).units for net in (model, other)
    )
    for path in before:
        assert after[path] == pytest.approx(before[path], rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("name", ["taylor", "taylor-act", "activation", "fluctuation", "lrp"])
def test_the_same_images_twice_are_no_other_images(name):
    model = network(RESNET)
    task, items = everything(small_data())
    about = (model, structure_of(model), task)
    once = CRITERIA[name](*about, items, CPU)
    twice = CRITERIA[name](*about, items.repeat(2), CPU)
    for path, values in once.units.items():
        tolerance = 5e-3 if name == "fluctuation" else 1e-5  # its variance is without bias
        assert twice.units[path] == pytest.approx(values, rel=tolerance, abs=1e-9)


def test_beta_rank_is_the_weights_times_the_deviations_window_by_window():
    """conv2 has a stride and a padding; windows are cut out one by one."""
    model, structure = chain()
    data = small_data(9)
    found = scored(CRITERIA["beta-rank"], model, data, structure=structure).units["conv2"]
    x_NCHW, weight = read_by(model, "conv2", data).double(), model.conv2.weight.detach().double()
    out_NCHW = F.conv2d(x_NCHW, weight, stride=2, padding=1)
    height, width = out_NCHW.shape[2:]
    for unit, score in enumerate(found):
        ratios = []
        for row in range(height):
            for column in range(width):
                top, left = (max(0, 2 * at - 1) for at in (row, column))
                window = x_NCHW[:, :, top : 2 * row + 2, left : 2 * column + 2]
                given = window.flatten().std(correction=0)
                ratios.append(out_NCHW[:, unit, row, column].std(correction=0) / given)
        expected = float(torch.stack(ratios).mean() * weight[unit].abs().mean())
        assert score == pytest.approx(expected, rel=1e-5)


def test_beta_rank_of_a_block_compares_what_it_adds_with_what_it_gets():
    model = network(RESNET)
    data = small_data(9)
    found = scored(CRITERIA["beta-rank"], model, data).blocks["layer1.1"]
    block = fold_batchnorm(model).get_submodule("layer1.1")
    x = read_by(model, "layer1.1", data)
    with torch.no_grad():
        added = (block(x) - x).double()
    given = x.double().transpose(0, 1).flatten(0, 1).std(0, correction=0)  # over images, channels
    expected = (added.std(0, correction=0) / given).mean()
    assert found == pytest.approx(float(expected), rel=1e-4)
