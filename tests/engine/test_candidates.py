from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import CPU, architectures, everything, network, small_data

from engine.contracts.setting_sections import ScoringSettings
from engine.measures.cost import cost_of
from engine.models import architecture_of_name, build
from engine.pruning import candidates
from engine.pruning.criteria.magnitude import l1_scores
from engine.pruning.editing import apply
from engine.pruning.structure import structure_of
from engine.runtime.progress import SILENT
from engine.tasks.images import blank


def scores_of(model):
    data = small_data()
    return l1_scores(model, structure_of(model), *everything(data), CPU, SILENT)


def unit_edit(structure, scores, count, allocation, seed):
    scoring = ScoringSettings(allocation=allocation)
    return candidates.UnitEdits(structure, scores, scoring, seed).of_count(count)


@pytest.mark.parametrize(
    ("name", "num_macs", "num_params"),
    [("resnet20", 40_551_040, 269_722), ("resnet56", 125_485_696, 853_018),
     ("resnet110", 252_887_680, 1_727_962)],
)  # fmt: skip
def test_macs_and_parameters_are_the_published_ones(name, num_macs, num_params):
    model = build("cifar_resnet", architecture_of_name(name).arguments)
    cost = cost_of(model, blank((32, 32, 3)))
    assert (cost.num_macs, cost.num_params) == (num_macs, num_params)


@given(
    architectures(), st.integers(1, 40), st.sampled_from(["uniform", "global"]), st.integers(0, 9)
)
@settings(max_examples=60, deadline=None)
def test_filter_edits_remove_what_was_asked_and_leave_one_everywhere(
    arguments, count, allocation, seed
):
    model = network(arguments)
    structure, scores = structure_of(model), scores_of(model)
    edit = unit_edit(structure, scores, count, allocation, seed)
    if structure.num_spare_units() == 0:
        assert edit is None
        return
    assert edit is not None
    assert edit.num_units == min(count, structure.num_spare_units())
    assert edit == unit_edit(structure, scores, count, allocation, seed)
    pruned = structure_of(apply(edit, model))
    assert all(group.num_units >= 1 for group in pruned.groups)
    removed = dict(edit.units)
    for path, indices in removed.items():  # within a convolution the lowest scores go
        kept = set(range(len(scores.units[path]))) - set(indices)
        assert max(scores.units[path][i] for i in indices) <= min(
            scores.units[path][i] for i in kept
        )


def test_uniform_takes_the_same_fraction_of_every_convolution_and_seeds_the_remainder():
    model = build("cifar_resnet", architecture_of_name("resnet20").arguments)
    structure, scores = structure_of(model), scores_of(model)
    edits = [unit_edit(structure, scores, 64, "uniform", seed) for seed in range(6)]
    for edit in edits:
        removed = {path: len(indices) for path, indices in edit.units}
        for group in structure.groups:
            # 64 of 336 filters is 19 %: 3 of 16, 6 of 32, 12 of 64, and the remainder on top.
            assert removed[group.path] >= group.num_units * 64 // 336
        assert edit.num_units == 64
    assert len({edit.units for edit in edits}) > 1


def test_global_takes_the_lowest_scores_of_the_network():
    model = build("cifar_resnet", architecture_of_name("resnet20").arguments)
    structure, scores = structure_of(model), scores_of(model)
    edit = unit_edit(structure, scores, 30, "global", 0)
    chosen = {(path, i) for path, indices in edit.units for i in indices}
    ranked = sorted((s, p, i) for p, values in scores.units.items() for i, s in enumerate(values))
    assert chosen == {(path, i) for _, path, i in ranked[:30]}


def test_the_least_important_removable_block_goes():
    model = build("cifar_resnet", architecture_of_name("resnet20").arguments)
    structure, scores = structure_of(model), scores_of(model)
    (path,) = candidates.layer_edit(structure, scores, 2).blocks
    removable = {b.path for b in structure.removable_blocks(2)}
    assert removable == {"layer1.1", "layer1.2", "layer2.1", "layer2.2", "layer3.1", "layer3.2"}
    assert scores.blocks[path] == min(scores.blocks[p] for p in removable)
    assert candidates.layer_edit(structure, scores, 3) is None


@pytest.mark.parametrize("match", ["macs", "params"])
@pytest.mark.parametrize("allocation", ["uniform", "global"])
def test_matching_by_cost_comes_within_a_filter_of_the_layer_s_saving(match, allocation):
    model = build("cifar_resnet", architecture_of_name("resnet20").arguments)
    chosen = ScoringSettings(match=match, allocation=allocation)
    layer, filters = candidates.propose(
        model, structure_of(model), scores_of(model), chosen, blank((32, 32, 3)), 0
    )

    def amount(edit):
        cost = cost_of(apply(edit, model), blank((32, 32, 3)))
        return cost.num_macs if match == "macs" else cost.num_params

    whole = cost_of(model, blank((32, 32, 3)))
    saving = (whole.num_macs if match == "macs" else whole.num_params) - amount(layer)
    assert abs(amount(filters) - amount(layer)) <= 0.15 * saving


def test_when_layers_have_run_out_only_filters_are_proposed():
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[5, 5]],
                     "num_classes": 3})  # fmt: skip
    (only,) = candidates.propose(
        model, structure_of(model), scores_of(model), ScoringSettings(), blank((8, 8, 3)), 0
    )
    assert only.structure == "filter" and only.num_units == 8  # all that may go
    bare = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[1, 1]],
                    "num_classes": 3})  # fmt: skip
    assert (
        candidates.propose(
            bare, structure_of(bare), scores_of(bare), ScoringSettings(), blank((8, 8, 3)), 0
        )
        == []
    )
