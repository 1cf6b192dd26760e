"""Plans by integer programming: against brute force, and against the costs of what is made."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from any_networks import example
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import CPU, network
from task_networks import Tabular, made, windows

from engine.contracts.budgets import Allowed
from engine.contracts.edits import Edit
from engine.contracts.errors import EditError, ScoresError
from engine.contracts.networks import Scores
from engine.contracts.requests import RemoveTogether
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure_after import structure_after
from engine.measures.cost import cost_of
from engine.pruning import editing, requests
from engine.pruning.explicit import explicit
from engine.pruning.fitting import Fitter, choices_of
from engine.pruning.limits import Limits
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.pruning.surgery import carry_out
from engine.runtime.progress import SILENT
from engine.tasks import examples
from engine.tasks.images import blank

TINY = {"stem_width": 3, "stage_widths": [3, 4], "inner_widths": [[3, 2, 3], [2, 3]],
        "num_classes": 3}  # fmt: skip
ONE = blank((8, 8, 3))


def scores_of(structure, seed=0):
    random = np.random.default_rng(seed)
    blocks = {block.path: float(random.random()) for block in structure.all_blocks()}
    units = {g.path: tuple(random.random(g.num_units).tolist()) for g in structure.groups}
    return Scores(blocks, units)


def tiny():
    model = network(TINY)
    return model, structure_of(model), ONE


def plain():
    return *example("plain CNN"), ONE  # convolutions in a chain: products of widths


def vit():
    return *example("ViT with grouped heads"), ONE


def table():
    model, one = made(Tabular), examples(windows(), 1)
    return model, find_structure(model, examples(windows(), 4).inputs, SILENT), one


NETWORKS = {"CIFAR ResNet": tiny(), "chain": plain(), "ViT": vit(), "table": table()}


def fitter_of(name, seed=0, **chosen):
    model, structure, one = NETWORKS[name]
    scoring = ScoringSettings(**{"min_blocks": 1, **chosen})
    scores = scores_of(structure, seed)
    choices = choices_of(structure, scores, scoring, Limits.of(scoring, structure))
    return Fitter(model, structure, choices, one), choices, scores


def edit_of(name, fit):
    structure = NETWORKS[name][1]
    request = RemoveTogether(fit.blocks, fit.units)
    return requests._exact(request, structure)


def every_choice(choices):
    """Each set of blocks with each number of steps of the other groups."""
    stages = {b.path: b.stage for b in choices.blocks}
    for size in range(len(choices.blocks) + 1):
        for blocks in itertools.combinations([b.path for b in choices.blocks], size):
            if any(sum(stages[p] == stage for p in blocks) > most
                   for stage, most in choices.most_of_stage.items()):  # fmt: skip
                continue
            left = [g for g in choices.groups if g.block not in blocks]
            for steps in itertools.product(*(range(len(g.gone)) for g in left)):
                yield frozenset(blocks), {g.path: n for g, n in zip(left, steps, strict=True) if n}


@pytest.mark.parametrize(("name", "seed"), [("CIFAR ResNet", 0), ("chain", 0), ("chain", 1)])
def test_no_choice_of_all_is_better(name, seed):
    """Every choice is looked at, its cost measured on the network that it makes."""
    model, structure, one = NETWORKS[name]
    # Of the chain (6, 5 and 9 wide) fewer steps, so that all can be looked at.
    fitter, choices, scores = fitter_of(name, seed, keep_fraction=0.5 if name == "chain" else 0.3)
    by_group = {g.path: g for g in choices.groups}
    known = []
    for blocks, steps in every_choice(choices):
        gone = {path: by_group[path].gone[n] for path, n in steps.items()}
        importance = sum(scores.blocks[p] for p in blocks) + sum(
            sum(sorted(scores.units[path])[:count]) for path, count in gone.items()
        )
        macs, params = (fitter.tables[kind].left(blocks, gone) for kind in ("macs", "params"))
        known.append((importance, macs, params, blocks, steps))
    for importance, macs, params, blocks, steps in known[:: max(1, len(known) // 30)]:
        edit = explicit(choices.edit(blocks, steps), structure)
        cost = cost_of(carry_out(edit, model), one)
        assert (macs, params) == (cost.num_macs, cost.num_params), (blocks, steps, importance)
    whole = cost_of(model, one)
    for share, of_params in itertools.product((0.9, 0.75, 0.6), (None, 0.8)):
        allowed = Allowed(
            int(share * whole.num_macs),
            None if of_params is None else int(of_params * whole.num_params),
        )
        possible = [
            each for each in known
            if each[1] <= allowed.macs and (allowed.params is None or each[2] <= allowed.params)
        ]  # fmt: skip
        fit = fitter.fit(allowed)
        assert fit.possible == bool(possible)
        if possible:
            assert fit.importance == pytest.approx(min(each[0] for each in possible), abs=1e-9)
            assert fit.bound == pytest.approx(fit.importance, rel=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_budgets_are_met_by_what_is_made_and_the_prediction_is_exact(name):
    model, structure, one = NETWORKS[name]
    fitter, choices, scores = fitter_of(name)
    whole = cost_of(model, one)
    for share in (1.0, 0.9, 0.75, 0.6, 0.5):
        fit = fitter.fit(Allowed(int(share * whole.num_macs), int(share * whole.num_params)))
        edit = edit_of(name, fit) if fit.blocks or fit.units else None
        cost = whole if edit is None else cost_of(editing.apply(edit, model), one)
        assert (fit.measured_macs, fit.measured_params) == (cost.num_macs, cost.num_params)
        assert fit.params == cost.num_params
        assert abs(fit.macs - cost.num_macs) <= len(choices.groups)  # a row's share is rounded
        if fit.possible:
            assert cost.num_macs <= share * whole.num_macs
            assert cost.num_params <= share * whole.num_params
        for path, indices in fit.units.items():  # within a group the lowest scores go
            lowest = sorted(scores.units[path])[: len(indices)]
            assert sorted(scores.units[path][i] for i in indices) == lowest
        paths = {b.path for b in structure.blocks if b.path in fit.blocks}
        assert not any(g.block in paths for g in structure.groups if g.path in fit.units)


@given(st.integers(0, 500), st.sampled_from([1, 2]))
@settings(max_examples=6, deadline=None)
def test_more_budget_never_costs_more_importance(seed, round_to):
    fitter, _, _ = fitter_of("CIFAR ResNet", seed, round_to=round_to)
    whole = fitter.tables["macs"].whole
    fits = [fitter.fit(Allowed(int(share * whole))) for share in (0.55, 0.65, 0.75, 0.85, 0.95, 1)]
    possible = [fit.importance for fit in fits if fit.possible]
    assert possible == sorted(possible, reverse=True) and possible[-1] == 0
    both = fitter.fit(Allowed(int(0.85 * whole), int(0.85 * fitter.tables["params"].whole)))
    assert both.importance >= fits[3].importance - 1e-12


def test_an_impossible_budget_gets_what_costs_least():
    fitter, choices, _ = fitter_of("CIFAR ResNet", keep_fraction=0.5)
    fit = fitter.fit(Allowed(macs=1))
    least = min(
        fitter.tables["macs"].left(
            blocks, {g.path: g.gone[steps.get(g.path, 0)] for g in choices.groups}
        )
        for blocks, steps in every_choice(choices)
    )
    assert not fit.possible and fit.measured_macs == fit.macs == least


def test_what_is_kept_stays_and_what_stays_is_a_multiple():
    _, structure, _ = NETWORKS["CIFAR ResNet"]
    fitter, choices, _ = fitter_of("CIFAR ResNet", keep="layer1.1,layer2.0.conv1", round_to=2)
    fit = fitter.fit(Allowed(macs=int(0.8 * fitter.tables["macs"].whole)))
    assert "layer1.1" not in fit.blocks
    assert not {"layer1.1.conv1", "layer2.0.conv1"} & fit.units.keys()
    widths = {group.path: group.num_units for group in structure.groups}
    assert all((widths[path] - len(gone)) % 2 == 0 for path, gone in fit.units.items())
    assert choices.most_of_stage == {"layer1": 1, "layer2": 1}


def test_a_stage_keeps_as_many_blocks_as_the_settings_say():
    model = network({**TINY, "stage_widths": [3], "inner_widths": [[2] * 5]})
    structure, scoring = structure_of(model), ScoringSettings(min_blocks=3)
    choices = choices_of(structure, scores_of(structure), scoring, Limits())
    assert choices.most_of_stage == {"layer1": 2}
    fit = Fitter(model, structure, choices, ONE).fit(Allowed(macs=1))
    assert len(fit.blocks) == 2


def test_scores_that_are_no_numbers_are_refused():
    _, structure, _ = NETWORKS["CIFAR ResNet"]
    scores = scores_of(structure)
    for value in (math.nan, math.inf):
        odd = Scores({**scores.blocks, "layer1.1": value}, scores.units)
        with pytest.raises(ScoresError, match="no finite numbers"):
            choices_of(structure, odd, ScoringSettings(), Limits())


def test_a_budget_of_latency_is_told_with_what_was_measured():
    model, structure, one = NETWORKS["CIFAR ResNet"]
    scoring = ScoringSettings(min_blocks=1)
    choices = choices_of(structure, scores_of(structure), scoring, Limits())
    fitter = Fitter(model, structure, choices, one, timed_by=CPU)
    fit = fitter.fit(Allowed(latency=80.0))
    assert fit.latency is not None and fit.measured_latency is not None
    assert fit.measured_latency > 0 and math.isfinite(fit.measured_latency)
    assert fitter.fit(Allowed(macs=10**9)).measured_latency is None


# ------------------------------------------------------------ blocks and units in one edit


@pytest.mark.parametrize("name", ["CIFAR ResNet", "ViT", "table"])
def test_an_edit_of_blocks_and_units_is_one_after_the_other(name):
    model, structure, one = NETWORKS[name]
    block = structure.removable_blocks(1)[-1]
    group = next(g for g in structure.free_groups if g.block != block.path and g.num_units > 1)
    both = requests._exact(RemoveTogether((block.path,), {group.path: (0,)}), structure)
    assert both.structure == "unit"
    assert Edit.from_json(both.as_json()) == both
    first = requests._exact(RemoveTogether(units={group.path: (0,)}), structure)
    assert first.structure == group.kind
    left = structure_after(structure, first)
    second = Edit("layer", blocks=(block.path,))
    smaller = editing.apply(first, model)
    twice = carry_out(explicit(second, left), smaller)
    once = editing.apply(both, model)
    assert {n: t.tolist() for n, t in once.state_dict().items()} == {
        n: t.tolist() for n, t in twice.state_dict().items()
    }
    assert cost_of(once, one) == cost_of(twice, one)
    after = structure_after(structure, both)
    assert after == structure_after(left, second)
    if name == "CIFAR ResNet":
        assert after.groups == structure_of(once).groups


def test_units_of_a_block_that_goes_are_refused():
    model, structure, _ = NETWORKS["CIFAR ResNet"]
    request = RemoveTogether(("layer1.1",), {"layer1.1.conv1": (0,)})
    with pytest.raises(EditError, match=r"removes block layer1\.1 and filters of layer1\.1\.conv1"):
        requests.check(request, model, structure)
    with pytest.raises(EditError, match="names nothing"):
        requests.check(RemoveTogether(), model, structure)
