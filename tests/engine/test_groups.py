"""Groups of units of any network: what may be removed alone, and that it can be."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision.models
from odd_networks import (
    ODD,
    Branching,
    Concatenated,
    HeadsByAttribute,
    PickedByNumber,
    RecurrentRows,
    TiedDecoder,
    WrittenSizes,
    example_of,
    images,
)
from pruned_and_masked import compared, outputs, randomise
from torch import Tensor, nn

from engine.contracts.edits import Edit
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.models.preparations import prepare
from engine.pruning.explicit import explicit
from engine.pruning.structure.labels import FoundGroups, find_groups
from engine.pruning.surgery import carry_out

Make = Callable[[], nn.Module]


def made(make: Make) -> nn.Module:
    torch.manual_seed(0)
    model = randomise(make()).double()
    prepare(model)
    return model


def on(*example: Tensor) -> Callable[[nn.Module], object]:
    return lambda model: model(*example)


def found_in(model: nn.Module, *example: Tensor) -> FoundGroups:
    return find_groups(model, on(*(example or images())))


def check_all(model: nn.Module, found: FoundGroups, *example: Tensor, most: int = 100) -> None:
    """A third of the units of each group, at most five; others where they have no effect."""
    chance = random.Random(0)
    groups = found.groups
    for group in chance.sample(groups, most) if len(groups) > most else groups:
        for _ in range(8):
            count = max(1, min(5, group.num_units // 3))
            units = tuple(sorted(chance.sample(range(group.num_units), count)))
            result = compared([group], [units], model, on(*example))
            assert result.holds, (group.path, units, result)
            if result.effect > 1e-10:
                break
        else:
            pytest.fail(f"{group.path}: a check that proves nothing")


def named(found: FoundGroups) -> dict[str, tuple[str, int]]:
    return {group.path: (group.kind, group.num_units) for group in found.groups}


@pytest.mark.parametrize("kind", ODD, ids=lambda kind: kind.__name__)
def test_every_group_of_an_odd_network_can_be_pruned(kind: Make) -> None:
    model = made(kind)
    example = example_of(kind)
    found = found_in(model, *example)
    assert found.groups
    check_all(model, found, *example)
    assert all(isinstance(why, str) and why for why in found.frozen.values())


@pytest.mark.parametrize("kind", ODD, ids=lambda kind: kind.__name__)
def test_all_groups_are_pruned_at_once_and_again_and_run_on_other_batches(kind: Make) -> None:
    model = made(kind)
    found = found_in(model, *example_of(kind))
    units = [(0, 1) if group.num_units > 3 else (0,) for group in found.groups]
    assert compared(found.groups, units, model, on(*example_of(kind, batch=3))).holds
    chosen = tuple((g.path, u) for g, u in zip(found.groups, units, strict=True))
    pruned = carry_out(explicit(Edit("unit", units=chosen), structure(found)), model)
    again = found_in(pruned, *example_of(kind))
    assert sorted(g.num_units for g in again.groups) == sorted(
        g.num_units - len(u)
        for g, u in zip(found.groups, units, strict=True)
        if g.num_units - len(u) > 1
    )
    check_all(pruned, again, *example_of(kind))


def structure(found: FoundGroups) -> NetworkStructure:
    return NetworkStructure(groups=found.groups)


QUICK = ["resnet18"]
LONG = [
    "mobilenet_v2",
    *("shufflenet_v2_x0_5", "efficientnet_b0", "vgg11_bn", "densenet121", "convnext_tiny"),
    *("vit_b_16", "swin_t"),
]
SIZES = {"vit_b_16": 224}


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_groups_of_torchvisions_networks_can_be_pruned(name: str) -> None:
    model = made(lambda: torchvision.models.get_model(name, weights=None))
    size = SIZES.get(name, 64)
    found = found_in(model, *images(2, size))
    assert found.groups
    check_all(model, found, *images(2, size), most=4)


def test_a_resnet_has_its_inner_filters_and_its_streams() -> None:
    model = made(torchvision.models.resnet18)
    units = named(found_in(model, *images(2, 64)))
    assert units["layer1.0.conv1"] == ("filter", 64)
    assert units["layer4.1.conv1"] == ("filter", 512)
    assert units["conv1"] == ("filter", 64)  # the stream, with both blocks' second convolutions
    assert len(units) == 12


def test_kinds_say_where_units_stand() -> None:
    model = made(HeadsByAttribute)
    kinds = named(found_in(model))
    assert kinds["attend.0.to_qkv"] == ("head", 3)
    assert kinds["think.0.1"] == ("neuron", 40)


class SharedKeys(nn.Module):
    """Four heads of queries, two of keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 4, 4)
        self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(16, 8)
        self.norm = nn.LayerNorm(4)  # of every head, the same for all
        self.out, self.head = nn.Linear(16, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).mT
        q, k, v = (
            part(x).unflatten(-1, (-1, 4)).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        k, v = (t.repeat_interleave(2, dim=1) for t in (self.norm(k), v))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return self.head(x.mean(1))


def test_a_head_of_keys_goes_with_the_queries_that_ask_it() -> None:
    model = made(SharedKeys)
    found = found_in(model)
    (heads,) = [group for group in found.groups if group.kind == "head"]
    assert (heads.path, heads.num_units) == ("q", 2)
    widths = {(m.tensor, m.axis): m.width for m in heads.members}
    assert widths["q.weight", 0] == widths["out.weight", 1] == 8
    assert widths["k.weight", 0] == widths["v.weight", 0] == 4
    check_all(model, found, *images())


def test_rows_that_lie_apart_are_several_members_of_one_axis() -> None:
    found = found_in(made(HeadsByAttribute))
    heads = next(group for group in found.groups if group.path == "attend.0.to_qkv")
    rows = [m for m in heads.members if m.tensor == "attend.0.to_qkv.weight"]
    assert [(m.first, m.step, m.width) for m in rows] == [(0, 8, 8), (24, 8, 8), (48, 8, 8)]
    assert [(rule.name, rule.value, rule.per_unit) for rule in heads.attributes] == [
        ("heads", 3, 1)
    ]


def test_sizes_that_are_written_out_shrink() -> None:
    model = made(WrittenSizes)
    sizes = {g.path: g.sizes for g in found_in(model).groups}
    assert [(s.value, s.per_unit) for s in sizes["conv1"]] == [(12, 1)]
    assert [(s.value, s.per_unit) for s in sizes["conv2"]] == [(256, 16)]


@pytest.mark.parametrize(
    ("kind", "path", "why"),
    [
        (PickedByNumber, "conv1", "picked by number"),
        (RecurrentRows, "head", "the network's output"),
        (TiedDecoder, "head", "the network's output"),
    ],
)
def test_what_stays_is_told_with_its_reason(kind: Make, path: str, why: str) -> None:
    assert why in found_in(made(kind)).frozen[path]


def test_a_network_that_looks_at_its_values_can_be_pruned() -> None:
    assert "conv1" in named(found_in(made(Branching)))


class TwoShares(nn.Module):
    """Two convolutions share an attribute by which a third value is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 10
        self.a, self.b = nn.Conv2d(3, 6, 3), nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.a(x), self.b(x)], 1).mean((2, 3))
        return self.head(torch.reshape(both, (-1, self.total)))


def test_groups_that_share_a_number_take_from_it_together() -> None:
    model = made(TwoShares)
    found = found_in(model)
    assert [g.num_units for g in found.groups] == [6, 4]
    assert compared(found.groups, [(0, 5), (2,)], model, on(*images(3))).holds


class KeptInADict(nn.Module):
    """Keeps what it made of a parameter between calls, as LeViT does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)
        self.shift = nn.Parameter(torch.randn(8))
        self.kept: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if "shift" not in self.kept:
            self.kept["shift"] = self.shift * 2
        return self.head(self.conv(x).mean((2, 3)) + self.kept["shift"])


def test_what_a_module_keeps_between_calls_is_made_anew() -> None:
    model = made(KeptInADict)
    with torch.no_grad():
        model(*images())
    kept = model.kept["shift"]
    found = found_in(model)
    assert model.kept == {"shift": kept}
    assert named(found) == {"conv": ("filter", 8)}
    check_all(model, found, *images())


@pytest.mark.parametrize("kind", [HeadsByAttribute, Concatenated, PickedByNumber])
def test_the_network_and_the_random_state_are_left_as_they_were(kind: Make) -> None:
    model = made(kind)
    model.train()
    next(iter(model.children())).eval()
    before = copy.deepcopy(model.state_dict())
    modules = {path: dict(vars(module)) for path, module in model.named_modules()}
    flags = [module.training for module in model.modules()]
    was_fast = torch.backends.mha.get_fastpath_enabled()
    random_before = torch.random.get_rng_state()
    found_in(model)
    assert torch.equal(torch.random.get_rng_state(), random_before)
    assert torch.backends.mha.get_fastpath_enabled() == was_fast
    assert [module.training for module in model.modules()] == flags
    for path, module in model.named_modules():
        assert vars(module).keys() == modules[path].keys()
        assert not module._forward_hooks and not module._forward_pre_hooks
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_what_fails_in_a_forward_pass_is_raised_and_nothing_stays_behind() -> None:
    model = made(Concatenated)
    with pytest.raises(RuntimeError):
        found_in(model, torch.randn(2, 4, 16, 16))
    assert not any(module._forward_hooks for module in model.modules())
    assert outputs(model(*images()))


@pytest.mark.parametrize("kind", ODD, ids=lambda kind: kind.__name__)
def test_members_name_each_index_once(kind: Make) -> None:
    groups: tuple[UnitGroup, ...] = found_in(made(kind), *example_of(kind)).groups
    assert len({group.path for group in groups}) == len(groups)
    owned: list[tuple[str, int, int]] = [
        (member.tensor, member.axis, index)
        for group in groups
        for member in group.members
        for index in member.indices(range(group.num_units))
    ]
    assert len(set(owned)) == len(owned)


class Standardised(nn.Conv2d):
    """Its weight is standardised over all that a filter reads, as big transfer's is."""

    def forward(self, x: Tensor) -> Tensor:
        rows = self.weight.reshape(1, self.out_channels, -1)
        weight = F.batch_norm(rows, None, None, training=True).reshape_as(self.weight)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def test_what_a_standardised_weight_reads_stays_and_what_it_makes_may_go() -> None:
    layers = [Standardised(3, 8, 3), nn.ReLU(), Standardised(8, 12, 1), nn.ReLU()]
    rest = [nn.Conv2d(12, 6, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)]
    model = made(lambda: nn.Sequential(*layers, *rest))
    found = found_in(model)
    assert named(found) == {"2": ("filter", 12), "4": ("filter", 6)}
    assert "a norm runs over them" in found.frozen["0"]
    check_all(model, found, *images())


class GatedHeads(nn.Module):
    """Heads whose scores are mixed by a weight between them, and scaled by a number each."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = 4
        self.embed, self.qkv = nn.Conv2d(3, 16, 4, 4), nn.Linear(16, 48)
        self.scale = nn.Parameter(torch.rand(4, 1, 1))
        self.across = nn.Linear(4, 4)
        self.out, self.head = nn.Linear(16, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).mT
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        scores = (q @ k.mT * self.scale).softmax(-1)
        scores = self.across(scores.movedim(1, -1)).movedim(-1, 1)
        return self.head((x + self.out((scores @ v).transpose(1, 2).flatten(2))).mean(1))


def test_heads_that_a_weight_mixes_are_those_of_scores_and_those_of_values() -> None:
    model = made(GatedHeads)
    found = found_in(model)
    check_all(model, found, *images())


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_in_channels_last_memory_that_are_pooled_to_one_value(channels: int) -> None:
    model = nn.Sequential(
        nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    ).eval()
    images_BCHW = torch.rand(2, 8, 8, channels).permute(0, 3, 1, 2)  # as photographs are decoded
    (group,) = found_in(model, images_BCHW).groups
    assert (group.path, group.num_units) == ("0", 6)
