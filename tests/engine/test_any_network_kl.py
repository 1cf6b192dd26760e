"""The KL criteria for networks of no family of ours, against one full forward pass a structure."""

from __future__ import annotations

import pytest
import torch
from any_networks import MAKERS, RESNET, Twin, example
from networks import network, scored, small_data

from engine.contracts.edits import Edit
from engine.data import normalise
from engine.models.outputs import output_of
from engine.pruning.criteria import kl_scores
from engine.pruning.criteria.sums import kl_of
from engine.pruning.explicit import explicit
from engine.pruning.structure import structure_of
from engine.pruning.surgery import carry_out


def plain_kl(model, pruned, data) -> float:
    images = normalise(data.train.pixels_NHWC, data.mean, data.std)
    with torch.inference_mode():
        whole, without = (output_of(net(images)).double() for net in (model, pruned))
        return float(kl_of(without, whole).mean())


@pytest.mark.parametrize("name", MAKERS)
def test_exact_kl_is_one_full_forward_a_structure(name):
    model, structure = example(name)
    data = small_data(7)
    scores = scored(kl_scores, model, data, structure=structure)
    asked = {
        block.path for block in structure.all_blocks() if getattr(block, "stays", "") != "shape"
    }
    assert set(scores.blocks) == asked
    for path, found in scores.blocks.items():
        edit = explicit(Edit("layer", blocks=(path,)), structure)
        assert found == pytest.approx(plain_kl(model, carry_out(edit, model), data), rel=1e-4)
    assert [len(v) for v in scores.units.values()] == [g.num_units for g in structure.groups]
    for group in structure.groups:
        for unit, found in enumerate(scores.units[group.path]):
            edit = explicit(Edit(group.kind, units=((group.path, (unit,)),)), structure)
            expected = plain_kl(model, carry_out(edit, model), data)
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-9), (group.path, unit)


def test_the_twin_of_a_cifar_resnet_is_scored_as_the_family_is():
    ours = network(RESNET)
    data = small_data(20, classes=4)
    chain = scored(kl_scores, ours, data)
    found = scored(kl_scores, Twin(ours), data, structure=structure_of(ours))
    for path, value in found.blocks.items():
        assert value == pytest.approx(chain.blocks[path], rel=1e-5, abs=1e-10)
    for path, values in chain.units.items():
        assert found.units[path] == pytest.approx(values, rel=1e-4, abs=1e-9)
