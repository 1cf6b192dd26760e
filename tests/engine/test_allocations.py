"""Every allocation passes one suite; what each means is derived a second time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torchvision
from any_networks import example
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import CPU, network, small_data
from pruned_and_masked import compared
from task_networks import Tabular, made, windows

from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError, UserError
from engine.contracts.keeping import check_keep, kept
from engine.contracts.methods import ALLOCATIONS as KNOWN
from engine.contracts.networks import Scores
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure_after import structure_after
from engine.measures.cost import cost_of
from engine.models.preparations import prepare
from engine.pruning import candidates, editing
from engine.pruning.allocations import ALLOCATIONS, Allocated, Offer, Probe
from engine.pruning.allocations.erk import density
from engine.pruning.allocations.similarity import cosines
from engine.pruning.allocations.zeroth import sensitivities
from engine.pruning.limits import Limits
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.runtime.progress import SILENT
from engine.tasks import ImageTask, examples
from engine.tasks.images import blank

RESNET = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[9, 9, 5], [12, 7]],
          "num_classes": 3}  # fmt: skip
NAMES = ["CNN", "ViT", "table"]


def _made(name):
    """A network, its structure, and data for it."""
    if name == "CNN":
        model = network(RESNET)
        return model, structure_of(model), ImageTask(small_data())
    if name == "ViT":
        return *example("ViT with grouped heads"), ImageTask(small_data())
    model, task = made(Tabular), windows()
    return model, find_structure(model, examples(task, 4).inputs, SILENT), task


NETWORKS = {name: _made(name) for name in NAMES}


def scores_of(structure, seed=0):
    random = np.random.default_rng(seed)
    blocks = {block.path: float(random.random()) for block in structure.all_blocks()}
    units = {g.path: tuple(random.random(g.num_units).tolist()) for g in structure.groups}
    return Scores(blocks, units)


def edits_of(name, seed=0, limits=None, **chosen):
    model, structure, task = NETWORKS[name]
    scoring = ScoringSettings(**chosen)
    return candidates.UnitEdits(
        structure, scores_of(structure), scoring, seed,
        limits=limits or Limits.of(scoring, structure), shapes=candidates.shapes_of(model),
        probe=Probe(model, task, CPU, seed),
    )  # fmt: skip


def taken(edit):
    return {} if edit is None else {path: len(indices) for path, indices in edit.units}


def test_the_settings_offer_what_there_is():
    assert list(KNOWN) == list(ALLOCATIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("allocation", sorted(ALLOCATIONS))
def test_of_every_allocation(name, allocation):
    """As many go as were asked for, one stays, more only where more go; the same each time."""
    model, structure, _ = NETWORKS[name]
    edits, before = edits_of(name, allocation=allocation), {}
    assert edits.most == structure.num_spare_units()
    for count in (1, 2, 5, 9, 10**6):
        edit = edits.of_count(count)
        found = taken(edit)
        if allocation != "equal":
            assert sum(found.values()) == min(count, edits.most)
        if allocation != "uniform":  # whose remainder is drawn anew
            assert all(found.get(path, 0) >= gone for path, gone in before.items())
        before = found
        assert all(found.get(g.path, 0) < g.num_units for g in structure.groups)
        scores = scores_of(structure).units
        for path, indices in edit.units:
            lowest = np.sort(scores[path])[: len(indices)]
            assert sorted(scores[path][i] for i in indices) == lowest.tolist()
        assert edit == edits_of(name, allocation=allocation).of_count(count)
        editing.apply(edit, model)
    assert edits.of_count(0) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("allocation", sorted(ALLOCATIONS))
def test_pruned_equals_masked_whatever_the_allocation(name, allocation):
    model, structure, task = NETWORKS[name]
    if name == "CNN":  # the same network as one of no family of ours
        model, structure = example("twin of a CIFAR ResNet")
    scoring = ScoringSettings(allocation=allocation)
    edit = candidates.UnitEdits(
        structure, scores_of(structure), scoring, 1,
        shapes=candidates.shapes_of(model), probe=Probe(model, task, CPU, 0),
    ).of_count(6)  # fmt: skip
    groups = {group.path: group for group in structure.groups}
    model, inputs = model.double(), examples(task, 3).inputs.double()
    chosen = [(groups[path], indices) for path, indices in edit.units]
    assert compared(*zip(*chosen, strict=True), model, lambda net: net(inputs)).holds
    model.float()


# ------------------------------------------------------------ uniform and global as they were


def plain_uniform(groups, count, seed):
    width = sum(group.num_units for group in groups)
    quotas = {g.path: min(g.num_units * count // width, g.num_units - 1) for g in groups}
    random = np.random.default_rng(seed)
    for _ in range(count - sum(quotas.values())):
        still = [g.path for g in groups if quotas[g.path] < g.num_units - 1]
        quotas[still[random.integers(len(still))]] += 1
    return quotas


def plain_global(groups, scores, count):
    quotas = {group.path: 0 for group in groups}
    ranked = sorted((s, i, g) for i, g in enumerate(groups) for s in scores.units[g.path])
    for _, _, group in sorted(ranked, key=lambda each: each[:2]):
        if count and quotas[group.path] < group.num_units - 1:
            quotas[group.path] += 1
            count -= 1
    return quotas


@given(st.sampled_from(NAMES), st.integers(1, 60), st.integers(0, 30))
@settings(max_examples=80, deadline=None)
def test_uniform_and_global_give_what_they_gave_before(name, count, seed):
    _, structure, _ = NETWORKS[name]
    groups, scores = structure.free_groups, scores_of(structure, seed // 3)
    count = min(count, structure.num_spare_units())
    for allocation, wanted in (
        ("uniform", plain_uniform(groups, count, seed)),
        ("global", plain_global(groups, scores, count)),
    ):
        chosen = ScoringSettings(allocation=allocation)
        found = taken(candidates.UnitEdits(structure, scores, chosen, seed).of_count(count))
        assert found == {path: quota for path, quota in wanted.items() if quota}


def test_the_draws_of_uniform_are_golden():
    found = [
        tuple(taken(edits_of("CNN", seed, allocation="uniform").of_count(11)).values())
        for seed in (0, 1, 2)
    ]
    assert found == [(2, 2, 1, 4, 2), (2, 2, 3, 3, 1), (2, 3, 1, 3, 2)]


# ------------------------------------------------------------ floors and whole steps


@given(
    st.sampled_from(NAMES), st.sampled_from(["uniform", "global", "equal", "erk"]),
    st.integers(1, 40), st.floats(0, 1), st.sampled_from([1, 2, 3, 4, 8]), st.integers(0, 5),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_no_group_falls_below_its_floor_and_what_stays_is_a_multiple(
    name, allocation, count, fraction, round_to, seed
):
    _, structure, _ = NETWORKS[name]
    edits = edits_of(name, seed, allocation=allocation, keep_fraction=fraction, round_to=round_to)
    found, more = taken(edits.of_count(count)), taken(edits.of_count(count + 1))
    for group in structure.free_groups:
        gone = found.get(group.path, 0)
        stays = group.num_units - gone
        if gone:
            assert stays >= max(1, math.ceil(fraction * group.num_units - 1e-9))
            assert stays % round_to == 0
    assert sum(more.values()) >= sum(found.values())
    if allocation != "uniform" or round_to > 1:
        assert all(more.get(path, 0) >= gone for path, gone in found.items())
    if round_to == 1 and allocation != "equal":
        assert sum(found.values()) == min(count, edits.most)
    elif found:  # no whole step would have come nearer
        widest = max(g.num_units for g in structure.free_groups) * len(structure.free_groups)
        assert abs(sum(found.values()) - min(count, edits.most)) <= widest


def test_the_count_is_met_as_nearly_as_whole_steps_allow():
    edits = edits_of("CNN", allocation="erk", round_to=4)  # 9, 9, 5, 12 and 7 wide
    totals = edits._allocated._taking.totals().tolist()
    for count in range(1, 30):
        nearest = min(totals, key=lambda total: (abs(total - count), total))
        assert sum(taken(edits.of_count(count)).values()) == nearest


def test_the_floor_is_of_the_width_before_any_edit():
    model, structure, _ = NETWORKS["CNN"]
    first = edits_of("CNN", allocation="global", keep_fraction=0.5).of_count(10**6)
    left = {g.path: g.num_units for g in structure_after(structure, first).groups}
    assert left == {g.path: math.ceil(g.num_units / 2) for g in structure.groups}
    smaller = editing.apply(first, model)
    again = structure_of(smaller)
    scoring = ScoringSettings(keep_fraction=0.5)
    limits = Limits.of(scoring, again, [first])
    assert not any(limits.room(group) for group in again.groups)
    edits = candidates.UnitEdits(again, scores_of(again), scoring, 0, limits=limits)
    assert edits.most == 0 and edits.of_count(3) is None
    # Whoever does not know of the edit takes half of what is left.
    assert any(Limits.of(scoring, again).room(group) for group in again.groups)


@pytest.mark.parametrize("round_to", [1, 2])
@pytest.mark.parametrize("allocation", sorted(ALLOCATIONS))
def test_matching_by_cost_finds_the_nearest_of_all_counts(allocation, round_to):
    """What bisection finds is what trying all of them finds."""
    model, structure, task = NETWORKS["CNN"]
    scores, one = scores_of(structure), blank((8, 8, 3))
    chosen = ScoringSettings(allocation=allocation, round_to=round_to, match="macs", min_blocks=1)
    layer, units = candidates.propose(
        model, structure, scores, chosen, one, 0, probe=Probe(model, task, CPU, 0)
    )

    def macs(edit):
        return cost_of(editing.apply(edit, model), one).num_macs

    edits = edits_of("CNN", allocation=allocation, round_to=round_to)
    away = [abs(macs(edits.of_count(n)) - macs(layer)) for n in range(1, edits.most + 1)]
    if allocation == "uniform" and round_to == 1:  # a drawn remainder may cost more for less
        assert abs(macs(units) - macs(layer)) <= min(away) + 0.05 * macs(layer)
    else:
        assert abs(macs(units) - macs(layer)) == min(away)


# ------------------------------------------------------------ what each means


def test_equal_takes_the_same_number_of_every_group_that_is_as_wide():
    _, structure, _ = NETWORKS["table"]
    widths = {g.path: (g.kind, g.num_units) for g in structure.free_groups}
    edits = edits_of("table", allocation="equal")
    for count in range(1, edits.most):
        found = taken(edits.of_count(count))
        for kind in set(widths.values()):
            assert len({found.get(path, 0) for path, k in widths.items() if k == kind}) == 1
    assert taken(edits.of_count(1)) == taken(edits_of("table", 5, allocation="equal").of_count(1))


def test_equal_leaves_groups_alone_that_are_as_wide_as_one_that_is_kept():
    edits = edits_of("CNN", allocation="equal", keep="layer1.1.conv1")
    gone = taken(edits.of_count(10**6))
    assert set(gone) == {"layer1.2.conv1", "layer2.0.conv1", "layer2.1.conv1"}


@pytest.mark.parametrize("count", [3, 12, 25])
def test_erk_keeps_the_widths_that_its_one_epsilon_says(count):
    model, structure, _ = NETWORKS["CNN"]
    found = taken(edits_of("CNN", allocation="erk").of_count(count))
    raw = {}
    for group in structure.groups:
        out, into, high, wide = model.get_submodule(group.path).weight.shape
        raw[group.path] = (out + into + high + wide) / (out * into * high * wide)
        offer = Offer(structure.groups, Scores({}, {}), {}, shapes=candidates.shapes_of(model))
        assert density(group, offer) == pytest.approx(raw[group.path])

    def kept_by(epsilon):
        return {
            g.path: max(1, min(g.num_units, math.floor(epsilon * raw[g.path] * g.num_units + 0.5)))
            for g in structure.groups
        }

    low, high = 0.0, 1e4  # the ε by which so many go
    whole = sum(g.num_units for g in structure.groups)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(kept_by(middle).values()) < whole - count else (
            low, middle)  # fmt: skip
    least, most = kept_by(low * (1 - 1e-9)), kept_by(high * (1 + 1e-9))  # groups may be alike
    for group in structure.groups:
        stays = group.num_units - found.get(group.path, 0)
        assert least[group.path] <= stays <= most[group.path]


@torch.no_grad()
def test_similarity_takes_more_where_a_block_s_output_is_like_its_input():
    model, structure, task = NETWORKS["table"]
    found = cosines(Probe(model, task, CPU, 0), structure.blocks)
    (inputs,) = (Probe(model, task, CPU, 0).items(),)
    x = model.embed(next(task.batches("train", len(inputs), inputs)).inputs)
    for path, layer in zip(found, model.layers, strict=True):
        y = layer(x)
        each = [
            float((a @ b) / (a.norm() * b.norm()))
            for a, b in zip(x.flatten(1).double(), y.flatten(1).double(), strict=True)
        ]
        assert found[path] == pytest.approx(sum(each) / len(each), abs=1e-9)
        x = y
    most, least = max(found, key=found.__getitem__), min(found, key=found.__getitem__)
    gone = taken(edits_of("table", allocation="similarity").of_count(12))
    shares = {
        block: sum(gone.get(g.path, 0) for g in structure.groups if g.block == block)
        for block in found
    }
    assert shares[most] > shares[least]


def test_similarity_refuses_a_network_without_blocks_that_keep_a_shape():
    model, structure = example("plain CNN")
    scoring = ScoringSettings(allocation="similarity")
    probe = Probe(model, ImageTask(small_data()), CPU, 0)
    with pytest.raises(EngineError, match=r"no block of this network keeps .* such as uniform"):
        candidates.UnitEdits(structure, scores_of(structure), scoring, 0, probe=probe)


def test_zeroth_estimates_the_loss_a_group_holds_to_second_order():
    """Its mean over directions is Σ w² (∂L/∂w)², here from gradients item by item."""
    model, structure, task = NETWORKS["table"]
    probe = Probe(model, task, CPU, 0)
    batch = next(task.batches("train", 64, probe.items()))
    group = next(g for g in structure.free_groups if g.kind == "neuron")
    rows = {m.tensor for m in group.members if m.axis == 0}
    exact = 0.0
    for x, y in zip(batch.inputs, batch.targets, strict=True):
        loss = torch.nn.functional.cross_entropy(model(x[None]), y[None])
        named = {n: p for n, p in model.named_parameters() if n in rows}
        grads = torch.autograd.grad(loss, list(named.values()))
        exact += sum(float((p.detach() * g).square().sum()) for p, g in zip(named.values(), grads,
                                                                   strict=True))  # fmt: skip
    exact /= len(batch)
    offers = [
        Offer((group,), scores_of(structure), {group.path: 1}, seed=seed, probe=probe)
        for seed in range(60)
    ]
    found = [sensitivities(offer)[group.path] for offer in offers]
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found) - exact) < 4 * error + 0.02 * exact
    assert found[0] == sensitivities(offers[0])[group.path]


@pytest.mark.parametrize("name", NAMES)
def test_zeroth_runs_the_network_twice_for_each_group_and_leaves_it_alone(name):
    model, structure, _ = NETWORKS[name]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    calls = []
    kind = type(model)
    plain = kind.forward

    def counted(self, *args, **kwargs):
        calls.append(1)
        return plain(self, *args, **kwargs)

    kind.forward = counted
    try:
        edits_of(name, allocation="zeroth")
    finally:
        kind.forward = plain
    assert len(calls) == 2 * len(structure.free_groups)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


# ------------------------------------------------------------ what is kept


def test_a_block_that_is_kept_stays_with_its_units_and_a_kept_group_keeps_its_block():
    model, structure, _ = NETWORKS["CNN"]
    found = kept(structure, "layer1.1, *2.1.conv1")
    assert found.blocks == {"layer1.1": "layer1.1", "layer2.1": "*2.1.conv1"}
    assert found.groups == {"layer1.1.conv1": "layer1.1", "layer2.1.conv1": "*2.1.conv1"}
    scoring = ScoringSettings(keep="layer1.1, *2.1.conv1", min_blocks=1)
    scores = scores_of(structure)
    for count in (1, 9, 10**6):
        for allocation in ("uniform", "global", "erk"):
            edits = edits_of("CNN", allocation=allocation, keep=scoring.keep)
            assert not {"layer1.1.conv1", "layer2.1.conv1"} & taken(edits.of_count(count)).keys()
    layer, _ = candidates.propose(model, structure, scores, scoring, blank((8, 8, 3)), 0)
    assert layer.blocks == ("layer1.2",)
    everything = ScoringSettings(keep="*")
    assert candidates.propose(model, structure, scores, everything, blank((8, 8, 3)), 0) == []


def transformer():
    """One whose layers have halves."""
    model = torchvision.models.VisionTransformer(
        image_size=8, patch_size=4, num_layers=3, num_heads=2, hidden_dim=4, mlp_dim=5,
        num_classes=3,
    )  # fmt: skip
    torch.nn.init.normal_(model.heads.head.weight)
    prepare(model.eval())
    return model, find_structure(model, torch.rand(2, 3, 8, 8), SILENT)


def test_a_half_that_is_kept_keeps_the_whole_block_from_going():
    _, structure = transformer()
    block = structure.blocks[0]
    half = block.parts[0].path
    found = kept(structure, half)
    assert set(found.blocks) == {half, block.path}
    inside = {g.path for g in structure.groups if g.path.startswith(f"{half}.") or g.path == half}
    assert set(found.groups) == inside


def test_a_pattern_that_names_nothing_is_refused_with_the_nearest_path():
    _, structure, _ = NETWORKS["CNN"]
    with pytest.raises(UserError, match=r"'layer1\.9' names no block.*did you mean 'layer1\.\d'"):
        check_keep(structure, "layer1.1,layer1.9")
    check_keep(structure, "layer1.*,layer2.0.conv1")
    check_keep(structure, "layer1.9", [Edit("layer", blocks=("layer1.9",))])  # it was there
    check_keep(structure, None)


# ------------------------------------------------------------ several blocks at once


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_the_least_important_blocks_go_that_may_go_together(count, min_blocks, seed):
    model = network({**RESNET, "stage_widths": [4, 4], "inner_widths": [[3] * 4, [2] * 3]})
    structure = structure_of(model)
    scores = scores_of(structure, seed)
    edit = candidates.layer_edit(structure, scores, min_blocks, count=count)
    free = {b.path for b in structure.removable_blocks(min_blocks)}
    stages = {b.path: b.stage for b in structure.blocks}
    sizes = {"layer1": 4, "layer2": 3}

    def may_go(paths):
        return all(
            sizes[stage] - sum(stages[p] == stage for p in paths) >= min_blocks for stage in sizes
        )

    possible = [
        chosen
        for size in range(1, count + 1)
        for chosen in itertools.combinations(sorted(free), size)
        if may_go(chosen)
    ]
    if not possible:
        assert edit is None
        return
    most = max(map(len, possible))
    best = min(sum(scores.blocks[p] for p in chosen) for chosen in possible if len(chosen) == most)
    assert len(edit.blocks) == most
    assert sum(scores.blocks[p] for p in edit.blocks) == pytest.approx(best)
    assert len(list(editing.apply(edit, model).blocks())) == 7 - most


def test_the_unit_candidate_matches_all_of_the_blocks():
    model, structure, _ = NETWORKS["CNN"]
    chosen = ScoringSettings(blocks_per_step=2, min_blocks=1)
    layer, units = candidates.propose(
        model, structure, scores_of(structure), chosen, blank((8, 8, 3)), 0
    )
    by_path = {block.path: block.num_units for block in structure.blocks}
    assert len(layer.blocks) == 2
    assert units.num_units == min(
        sum(by_path[path] for path in layer.blocks), structure.num_spare_units()
    )


def test_halves_of_different_blocks_go_together_and_never_two_of_one():
    model, structure = transformer()
    edit = candidates.layer_edit(structure, scores_of(structure), 1, "halves", count=6)
    owners = [b.path for b in structure.blocks for p in b.parts if p.path in edit.blocks]
    assert len(owners) == len(set(owners)) == len(edit.blocks) == 3
    editing.apply(edit, model)


def test_an_offer_in_which_nothing_may_go_gives_nothing():
    _, structure, _ = NETWORKS["CNN"]
    rooms = {group.path: 0 for group in structure.groups}
    for name in ("uniform", "global", "equal", "erk"):
        shapes = candidates.shapes_of(NETWORKS["CNN"][0])
        offer = Offer(structure.groups, scores_of(structure), rooms, shapes=shapes)
        assert Allocated(name, offer).most == 0
