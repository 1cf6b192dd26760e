"""Every criterion passes one suite; KL is checked against the plain way."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import architectures, network, scored, small_data
from test_edits import silenced

from engine.contracts.edits import Edit
from engine.contracts.errors import Cancelled
from engine.contracts.methods import CRITERIA as KNOWN
from engine.data import normalise
from engine.pruning.criteria import CRITERIA, kl_scores
from engine.pruning.criteria.cifar_resnet import chain
from engine.pruning.criteria.magnitude import l1_scores
from engine.pruning.editing import apply
from engine.pruning.scores import check_scores
from engine.pruning.structure import structure_of
from engine.runtime.progress import Monitor


def plain_kl(model, edit: Edit, data) -> float:
    """One full forward of the network with the structure silenced, as a user would write it."""
    images = normalise(data.train.pixels_NHWC, data.mean, data.std)
    with torch.inference_mode():
        log_p = model(images).double().log_softmax(1)
        log_q = silenced(model, edit)(images).double().log_softmax(1)
    return float((log_q.exp() * (log_q - log_p)).sum(1).mean())


@given(architectures(max_blocks=2, max_width=4), st.integers(0, 100))
@settings(max_examples=12, deadline=None)
def test_exact_kl_is_one_full_forward_a_structure(arguments, seed):
    model = network(arguments, seed)
    data = small_data(10, arguments["in_channels"], arguments["num_classes"])
    scores = scored(kl_scores, model, data)
    for path, found in scores.blocks.items():
        expected = plain_kl(model, Edit("layer", blocks=(path,)), data)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-9)
    for path, values in scores.units.items():
        for index, found in enumerate(values):
            expected = plain_kl(model, Edit("filter", units=((path, (index,)),)), data)
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_every_criterion_scores_each_structure_once_and_leaves_the_network_alone(name):
    arguments = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 3], [5, 2]]}
    model = network({**arguments, "num_classes": 3})
    before = copy.deepcopy(model.state_dict())
    data = small_data()
    scores = scored(CRITERIA[name], model, data)
    structure = structure_of(model)
    check_scores(scores, structure)
    assert list(scores.blocks) == [b.path for b in structure.blocks if b.path in scores.blocks]
    assert {p: len(v) for p, v in scores.units.items()} == {
        g.path: g.num_units for g in structure.groups
    }
    values = [*scores.blocks.values(), *(v for vs in scores.units.values() for v in vs)]
    assert all(value >= 0 and value < float("inf") for value in values)
    assert scores == scored(CRITERIA[name], model, data)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_every_criterion_scores_a_pruned_network(name):
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[4, 3, 4]],
                     "num_classes": 3})  # fmt: skip
    pruned = apply(Edit("filter", units=(("layer1.1.conv1", (0, 2)),)), model)
    pruned = apply(Edit("layer", blocks=("layer1.2",)), pruned)
    data = small_data()
    scores = scored(CRITERIA[name], pruned, data)
    assert list(scores.blocks) == ["layer1.0", "layer1.1"]
    assert len(scores.units["layer1.1.conv1"]) == 1


def test_a_dead_filter_costs_nothing_and_scores_zero():
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[4, 4]],
                     "num_classes": 3})  # fmt: skip
    block = model.get_submodule("layer1.1")
    block.bn1.weight.data[2] = 0
    block.bn1.bias.data[2] = -1
    data = small_data()
    assert scored(kl_scores, model, data).units["layer1.1.conv1"][2] == 0.0


def test_chunks_and_packs_do_not_change_the_scores(monkeypatch):
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[4, 4]],
                     "num_classes": 3})  # fmt: skip
    data = small_data()
    whole = scored(kl_scores, model, data)
    monkeypatch.setattr(chain, "CHUNK_IMAGES", 5)
    monkeypatch.setattr(chain, "PACKED_PAIRS", 7)
    parts = scored(kl_scores, model, data)
    assert parts.blocks == pytest.approx(whole.blocks, rel=1e-5, abs=1e-12)
    for path in whole.units:
        assert parts.units[path] == pytest.approx(whole.units[path], rel=1e-5, abs=1e-12)


def test_l1_ranks_within_a_convolution_as_the_norm_does():
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[6, 4]],
                     "num_classes": 3})  # fmt: skip
    data = small_data()
    scores = scored(l1_scores, model, data).units["layer1.0.conv1"]
    norms = model.get_submodule("layer1.0").conv1.weight.detach().abs().sum((1, 2, 3))
    assert torch.tensor(scores).argsort().tolist() == norms.argsort().tolist()


def test_cancel_is_heard_inside_scoring():
    import threading

    stop = threading.Event()
    seen = []

    def emit(event):
        seen.append(event)
        stop.set()

    data = small_data()
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[4] * 4],
                     "num_classes": 3})  # fmt: skip
    with pytest.raises(Cancelled):
        scored(kl_scores, model, data, monitor=Monitor(emit, stop))
    assert len(seen) == 1 and seen[0].done < seen[0].total


def test_the_settings_offer_what_there_is():
    assert set(KNOWN) == set(CRITERIA)
