"""Surgery: removing what is silent changes nothing."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import architectures, network

from engine.contracts.codec import decode, encode
from engine.contracts.edits import Edit
from engine.contracts.errors import EditError
from engine.contracts.networks import Architecture
from engine.models import architecture_of_name, build
from engine.pruning.editing import apply, rebuild
from engine.pruning.structure import structure_of


def silenced(model, edit: Edit):
    """A copy in which what the edit removes is still there but gives zero."""
    masked = copy.deepcopy(model)
    for path in edit.blocks:
        block = masked.get_submodule(path)
        block.forward = lambda x, b=block: F.relu(b.shortcut(x))
    for path, indices in edit.units:
        block = masked.get_submodule(path.rpartition(".")[0])
        inner = block.hidden

        def hidden(x, inner=inner, indices=indices):
            activations = inner(x).clone()
            activations[:, list(indices)] = 0
            return activations

        block.hidden = hidden
    return masked


@st.composite
def networks_with_edits(draw):
    arguments = draw(architectures())
    model = network(arguments, draw(st.integers(0, 1000)))
    structure = structure_of(model)
    removable = structure.removable_blocks(1)
    prunable = [g for g in structure.groups if g.num_units > 1]
    kinds = ["layer"] * bool(removable) + ["filter"] * bool(prunable)
    if not kinds:
        return model, None
    if draw(st.sampled_from(kinds)) == "layer":
        return model, Edit("layer", blocks=(draw(st.sampled_from(removable)).path,))
    filters = []
    for group in draw(st.lists(st.sampled_from(prunable), min_size=1, unique=True)):
        every = st.integers(0, group.num_units - 1)
        chosen = draw(st.sets(every, min_size=1, max_size=group.num_units - 1))
        filters.append((group.path, tuple(sorted(chosen))))
    return model, Edit("filter", units=tuple(sorted(filters)))


@given(networks_with_edits(), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_pruned_equals_masked(model_and_edit, seed):
    model, edit = model_and_edit
    if edit is None:
        return
    before = copy.deepcopy(model.state_dict())
    pruned = apply(edit, model)
    channels = model.conv1.in_channels
    images = torch.randn(2, channels, 12, 12, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        expected, found = silenced(model, edit)(images), pruned(images)
    scale = max(1.0, float(expected.abs().max()))
    assert float((expected - found).abs().max()) <= 1e-5 * scale
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), f"surgery changed {key} of the parent"
    assert sum(p.numel() for p in pruned.parameters()) < sum(p.numel() for p in model.parameters())


@given(networks_with_edits())
@settings(max_examples=30, deadline=None)
def test_a_network_rebuilt_from_its_edits_takes_its_weights(model_and_edit):
    model, edit = model_and_edit
    if edit is None:
        return
    from engine.models.cifar_resnet import arguments_of

    pruned = apply(edit, model)
    again = rebuild(Architecture("cifar_resnet", arguments_of(model), (edit,)))
    again.load_state_dict(pruned.state_dict())
    assert Edit.from_json(json.loads(json.dumps(edit.as_json()))) == edit


def test_several_edits_follow_each_other_in_the_numbering_of_their_parent():
    architecture = architecture_of_name("resnet20")
    edits = (
        Edit("filter", units=(("layer1.1.conv1", (0, 1, 2)),)),
        Edit("layer", blocks=("layer2.1",)),
        Edit("filter", units=(("layer1.1.conv1", (12,)), ("layer2.2.conv1", (0,)))),
    )
    model = rebuild(replace(architecture, edits=edits))
    assert model.get_submodule("layer1.1").conv1.out_channels == 12
    assert [path for path, _ in model.blocks() if path.startswith("layer2")] == [
        "layer2.0",
        "layer2.2",
    ]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("layer", blocks=("layer9.0",)), "no block 'layer9.0'"),
        (Edit("layer", blocks=("layer2.0",)), "changes the shape"),
        (Edit("filter", units=(("layer1.0.conv2", (0,)),)), "no prunable convolution"),
        (Edit("filter", units=(("layer1.0.conv1", (16,)),)), "filters 0 to 15"),
        (Edit("filter", units=(("layer1.0.conv1", (1, 1)),)), "layer1.0.conv1 twice"),
        (Edit("filter", units=(("layer1.0.conv1", tuple(range(16))),)), "may not remove all 16"),
    ],
)
def test_edits_that_do_not_fit_are_refused(edit, message):
    model = build("cifar_resnet", architecture_of_name("resnet20").arguments)
    with pytest.raises(EditError, match=message):
        apply(edit, model)


@pytest.mark.parametrize("value", [
    {}, {"structure": "head"}, {"structure": "filter"}, {"structure": "layer"}, None, [], "layer",
    {"structure": "filter", "filters": {"a": "b"}}, {"structure": "filter", "filters": {"a": 1.5}},
    {"structure": "filter", "filters": {"a": [0.5]}}, {"structure": "layer", "blocks": 3},
    {"structure": "layer", "blocks": "layer1.1"},
])  # fmt: skip
def test_values_that_are_no_edit_are_refused(value):
    with pytest.raises(EditError):
        Edit.from_json(value)


def test_an_edit_is_written_as_stores_and_checkpoints_hold_it():
    layer = Edit("layer", blocks=("layer1.1", "layer2.1"))
    assert layer.as_json() == {"structure": "layer", "blocks": ["layer1.1", "layer2.1"]}
    filters = Edit("filter", units=(("layer1.0.conv1", (0, 3)), ("layer2.0.conv1", (1,))))
    assert filters.as_json() == {
        "structure": "filter",
        "filters": {"layer1.0.conv1": [0, 3], "layer2.0.conv1": [1]},
    }
    unsorted = {"structure": "filter", "filters": {"layer2.0.conv1": [1], "layer1.0.conv1": [3, 0]}}
    assert Edit.from_json(unsorted) == filters
    assert encode(layer) == layer.as_json() and decode(Edit, layer.as_json()) == layer
