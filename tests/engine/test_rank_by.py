"""Ranking by the lower end of an interval over images."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from any_networks import example
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import CPU, everything, network, small_data

from engine.contracts.errors import Cancelled, CriterionError
from engine.contracts.networks import Scores
from engine.contracts.setting_sections import ScoringSettings
from engine.pruning.criteria import CRITERIA, ranking
from engine.pruning.criteria.ranking import (
    FEWEST_ITEMS,
    MOST_PARTS,
    QUANTILES,
    combined,
    lower_ends,
    parts_of,
    scores_of,
)
from engine.pruning.scores import check_scores
from engine.pruning.structure import structure_of
from engine.runtime.progress import Monitor

LOWER = ScoringSettings(rank_by="lower")


def ranked(scoring: ScoringSettings, *about):
    return scores_of(scoring, CRITERIA[scoring.criterion], *about)


RESNET = {"stem_width": 4, "stage_widths": [4], "inner_widths": [[6, 4]], "num_classes": 3}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_by_the_mean_it_is_the_criterion_itself_bit_for_bit(criterion):
    model = network(RESNET)
    about = (model, structure_of(model), *everything(small_data()), CPU)
    scoring = ScoringSettings(criterion=criterion)
    assert ranked(scoring, *about) == CRITERIA[criterion](*about)


@pytest.mark.parametrize("criterion", sorted(CRITERIA))
def test_the_lower_end_is_below_the_mean_and_the_mean_itself_without_images(criterion):
    model = network(RESNET)
    about = (model, structure_of(model), *everything(small_data(48)), CPU)
    scoring = replace(LOWER, criterion=criterion)
    lower, mean = ranked(scoring, *about), CRITERIA[criterion](*about)
    check_scores(lower, structure_of(model))
    if not ranking.looks_at_items(criterion):
        assert lower == mean
        return
    assert lower != mean
    if criterion == "kl-fast":  # whose estimates over parts are others than those over all
        return
    for path, values in mean.units.items():
        for low, score in zip(lower.units[path], values, strict=True):
            assert low <= 1.05 * score + 1e-9  # a variance over parts is without bias too


def test_the_lower_end_is_that_of_students_t_over_the_parts():
    model = network(RESNET)
    task, items = everything(small_data(40))
    structure = structure_of(model)
    found = ranked(replace(LOWER, criterion="taylor"), model, structure, task, items, CPU)
    parts = parts_of(items, MOST_PARTS)
    each = np.array([
        CRITERIA["taylor"](model, structure, task, part, CPU).units["layer1.0.conv1"]
        for part in parts
    ])  # fmt: skip
    error = each.std(0, ddof=1) / math.sqrt(len(parts))
    expected = each.mean(0) - QUANTILES[len(parts) - 2] * error
    assert found.units["layer1.0.conv1"] == pytest.approx(expected.tolist())


@pytest.mark.parametrize("degrees", [1, 2, 5, 10, 19])
def test_the_quantiles_are_those_of_students_t(degrees):
    """97.5 % are below: by the density, integrated from 0 (half is below that)."""
    at = np.linspace(0, QUANTILES[degrees - 1], 200_001)
    norm = math.gamma((degrees + 1) / 2) / math.gamma(degrees / 2)
    density = norm / math.sqrt(degrees * math.pi) * (1 + at**2 / degrees) ** (-(degrees + 1) / 2)
    assert 0.5 + np.trapezoid(density, at) == pytest.approx(0.975, abs=2e-5)


def test_there_is_a_quantile_for_every_number_of_parts():
    assert len(QUANTILES) == MOST_PARTS - 1


@given(st.integers(4, 90))
@settings(max_examples=30, deadline=None)
def test_each_item_is_in_one_part_and_parts_are_of_a_size(count):
    items = torch.arange(1000, 1000 + count)
    parts = parts_of(items, MOST_PARTS)
    sizes = {len(part) for part in parts}
    assert min(sizes) >= FEWEST_ITEMS and max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat(parts).sort().values, items)
    assert 2 <= len(parts) <= MOST_PARTS


def test_too_few_images_for_an_interval_are_refused_with_the_remedy():
    model = network(RESNET)
    task, items = everything(small_data())
    with pytest.raises(CriterionError, match=r"takes 4 .* there are 3; raise --criterion-samples"):
        ranked(LOWER, model, structure_of(model), task, items[:3], CPU)


def test_of_equal_means_the_surer_one_ranks_higher():
    each = [Scores({"a": a, "b": 2.0}, {"g": (b, 1.0)}) for a, b in ((1.0, 0.0), (3.0, 2.0))]
    lower = combined(each, lower_ends)
    assert lower.blocks["b"] == 2.0 > lower.blocks["a"]
    assert lower.units["g"][1] == 1.0 > lower.units["g"][0]


def test_parts_tell_of_one_progress_and_can_be_cancelled():
    import threading

    stop, seen = threading.Event(), []
    model, structure = example("plain CNN")
    about = (model, structure, *everything(small_data(40)), CPU)
    scoring = replace(LOWER, criterion="taylor")
    ranked(scoring, *about, Monitor(seen.append))
    assert seen[-1].done == seen[-1].total
    stop.set()
    with pytest.raises(Cancelled):
        ranked(scoring, *about, Monitor(seen.append, stop))
