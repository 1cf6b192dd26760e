"""A structure followed through edits is the structure of the network that the edits leave."""

from __future__ import annotations

import random

import pytest
import torch
import torchvision.models
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import architectures, network
from odd_networks import HeadsByAttribute
from pruned_and_masked import compared, randomise
from torch import nn

from engine.contracts.edits import FILTER, LAYER, UNIT, Edit
from engine.contracts.structure import (
    Block,
    Consumer,
    Member,
    NetworkStructure,
    Part,
    SizeRule,
    UnitGroup,
)
from engine.contracts.structure_after import structure_after
from engine.models.preparations import prepare
from engine.pruning.editing import apply
from engine.pruning.explicit import explicit
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.pruning.surgery import carry_out


def some_edit(structure: NetworkStructure, chance: random.Random, name: str) -> Edit | None:
    """Units of some groups, or a block or half of one."""
    free = [group for group in structure.free_groups if group.num_units > 1]
    blocks = [block for block in structure.all_blocks() if getattr(block, "stays", None) is None]
    if blocks and (not free or chance.random() < 0.4):
        return Edit(LAYER, blocks=(chance.choice(blocks).path,))
    if not free:
        return None
    chosen = chance.sample(free, chance.randint(1, len(free)))
    units = (
        (group.path, tuple(sorted(chance.sample(range(group.num_units), _some(group, chance)))))
        for group in chosen
    )
    return Edit(name, units=tuple(units))


def _some(group: UnitGroup, chance: random.Random) -> int:
    return chance.randint(1, max(1, group.num_units // 3))


@settings(deadline=None, max_examples=50)
@given(architectures(), st.integers(0, 10**6))
def test_of_a_cifar_resnet_it_is_what_the_child_shows_by_itself(arguments, seed):
    chance, model = random.Random(seed), network(arguments)
    structure = structure_of(model)
    for _ in range(3):
        edit = some_edit(structure, chance, FILTER)
        if edit is None:
            break
        model, structure = apply(edit, model), structure_after(structure, edit)
        assert structure == structure_of(model)


def small_vit() -> nn.Module:
    return torchvision.models.VisionTransformer(16, 8, 2, 4, 32, 24, num_classes=5)


def small_swin() -> nn.Module:
    return torchvision.models.SwinTransformer([2, 2], 16, [2, 1], [2, 4], [4, 4], num_classes=5)


def small_resnet() -> nn.Module:
    kind = torchvision.models.resnet.BasicBlock
    return torchvision.models.ResNet(kind, [2, 1, 1, 2], num_classes=5, width_per_group=64)


class RandomChain(nn.Module):
    """Convolutions of random widths, some beside each other, flattened into a hidden layer."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        chance = random.Random(seed)
        a, b, c, d = (chance.randint(3, 9) for _ in range(4))
        self.first = nn.Sequential(nn.Conv2d(3, a, 3), nn.BatchNorm2d(a), nn.ReLU())
        self.left, self.right = nn.Conv2d(a, b, 3), nn.Conv2d(a, c, 3)
        self.depthwise = nn.Conv2d(b + c, b + c, 3, groups=b + c)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.hidden, self.head = nn.Linear(4 * (b + c), d), nn.Linear(d, 5)

    def forward(self, x):
        x = self.first(x)
        x = self.depthwise(torch.cat((self.left(x), self.right(x)), 1))
        return self.head(self.hidden(self.pool(x).flatten(1)).relu())


NETWORKS = {
    "vit": small_vit,
    "swin": small_swin,
    "heads by attribute": HeadsByAttribute,
    **{f"chain {seed}": lambda seed=seed: RandomChain(seed) for seed in range(3)},
    "resnet": small_resnet,
}


@pytest.mark.parametrize(
    "name", [*list(NETWORKS)[:-1], pytest.param("resnet", marks=pytest.mark.slow)]
)
def test_of_any_network_it_is_what_the_child_shows_when_it_is_run(name):
    torch.manual_seed(0)
    model = randomise(NETWORKS[name]())
    prepare(model)
    x = torch.rand(2, 3, 16, 16)
    structure, chance = find_structure(model, x), random.Random(name)
    for _ in range(3):
        edit = some_edit(structure, chance, UNIT)
        if edit is None:
            break
        model = carry_out(explicit(edit, structure), model)
        structure = structure_after(structure, edit)
        assert_holds(structure, model, x, chance)
        assert_same(structure, find_structure(model, x))


def assert_holds(structure: NetworkStructure, model, x, chance: random.Random) -> None:
    """Its edits are those of the child: pruned equals masked, and without a block it runs."""
    groups = [group for group in structure.groups if group.num_units > 1]
    for group in groups:
        units = tuple(sorted(chance.sample(range(group.num_units), _some(group, chance))))
        assert compared([group], [units], model, lambda m: m(x)).error < 1e-5, group.path
    for block in structure.all_blocks():
        if getattr(block, "stays", None) is None:
            with torch.no_grad():
                edit = explicit(Edit(LAYER, blocks=(block.path,)), structure)
                assert carry_out(edit, model)(x).isfinite().all()


def assert_same(followed: NetworkStructure, found: NetworkStructure) -> None:
    """But for what is one unit alone, or a block that changes the shape and is alone in its stage:
    those are none when a network is looked at anew."""
    ours = {group.path: group for group in followed.groups if group.num_units > 1}
    theirs = {group.path: group for group in found.groups}
    assert list(ours) == list(theirs)
    for path, group in ours.items():
        other = theirs[path]
        assert set(group.members) == set(other.members)
        assert (group.num_units, group.kind) == (other.num_units, other.kind)
        assert group.block == other.block or other.block is None
        assert set(group.attributes) == set(other.attributes)
        assert _values(group) == _values(other)
    assert _removable(followed) == _removable(found)
    assert followed.output_module == found.output_module


def _values(group: UnitGroup) -> dict[tuple, int]:
    return {(size.module, size.call, size.position): size.value for size in group.sizes}


def _removable(structure: NetworkStructure) -> list[str]:
    blocks = structure.all_blocks()
    return [block.path for block in blocks if getattr(block, "stays", None) is None]


# ------------------------------------------------------------ by hand


def test_runs_stay_runs_and_others_are_moved_by_what_is_gone_before_them():
    """Two groups share an axis: queries and values of three heads, then four neurons."""
    heads = UnitGroup(
        "attn", "head", 3, (Member("w", 0, 2, 0, 2), Member("w", 0, 2, 6, 2)), block="b"
    )
    neurons = UnitGroup("mlp", "neuron", 4, (Member("w", 0, 1, 12, 1),), block="b")
    structure = NetworkStructure(groups=(heads, neurons))
    after = structure_after(structure, Edit("head", units=(("attn", (1,)),)))
    assert after.groups[0].members == (Member("w", 0, 2, 0, 2), Member("w", 0, 2, 4, 2))
    assert after.groups[1].members == (Member("w", 0, 1, 8, 1),)


def test_sizes_follow_units_of_unequal_shares():
    group = UnitGroup(
        "conv", "filter", 3, (Member("w", 0),), sizes=(SizeRule("", 0, 1, 12, (2, 4, 6)),)
    )
    edit = Edit(FILTER, units=(("conv", (1,)),))
    after = structure_after(NetworkStructure(groups=(group,)), edit)
    assert after.groups[0].sizes == (SizeRule("", 0, 1, 8, (2, 6)),)


def test_a_block_goes_with_its_groups_and_its_part_in_the_stream():
    inside = UnitGroup("b.conv1", "filter", 4, (Member("b.conv1.weight", 0),), block="b")
    stream = UnitGroup(
        "stem", "filter", 8,
        (Member("stem.weight", 0), Member("b.conv1.weight", 1), Member("head.weight", 1)),
        (Consumer("b.conv1.weight", 1, "b.conv1"), Consumer("head.weight", 1, "head")),
        crosses_blocks=True,
    )  # fmt: skip
    begun = UnitGroup("b.conv2", "filter", 8, (Member("b.conv2.weight", 0), Member("c.weight", 0)))
    structure = NetworkStructure(
        (Block("b", "", 12, parts=(Part("b.x"), Part("b.y"))), Block("c", "")),
        (inside, stream, begun),
        frozen={"b.norm": "a norm", "bb": "another"},
    )
    after = structure_after(structure, Edit(LAYER, blocks=("b",)))
    assert [block.path for block in after.blocks] == ["c"]
    assert [group.path for group in after.groups] == ["stem", "c"]
    assert after.groups[0].members == (stream.members[0], stream.members[2])
    assert after.groups[0].consumers == stream.consumers[1:]
    assert after.frozen == {"bb": "another"}


def test_a_layer_without_one_half_is_what_its_other_half_is():
    head = UnitGroup("b.x.q", "head", 3, (Member("b.x.q.weight", 0),), block="b")
    neurons = UnitGroup("b.y.up", "neuron", 8, (Member("b.y.up.weight", 0),), block="b")
    block = Block("b", "", 11, parts=(Part("b.x", 3), Part("b.y", 8)))
    after = structure_after(
        NetworkStructure((block,), (head, neurons)), Edit(LAYER, blocks=("b.x",))
    )
    assert after.groups == (neurons,)
    assert after.blocks == (Block("b", "", 8),)
