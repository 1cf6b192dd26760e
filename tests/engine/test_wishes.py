from __future__ import annotations

import json

import numpy as np
import pytest
from networks import network, small_data

from engine.checkpoints import write as checkpoint
from engine.contracts.errors import DataNotNamedError, EditError, ScoresError
from engine.contracts.settings import Settings
from engine.data import load
from engine.models import build
from engine.pruning import requests as wishes
from engine.pruning.criteria import CRITERIA, Scores
from engine.pruning.criteria.magnitude import l1_scores
from engine.pruning.structure import structure_of
from engine.pruning.surgery import apply
from engine.runtime.device import choose
from engine.runtime.progress import SILENT
from engine.worker.handlers import Engine

ARGUMENTS = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 4, 4], [6, 5]],
             "num_classes": 3}  # fmt: skip
SETTINGS = Settings(criterion="l1", min_blocks=2)
SHAPE = (8, 8, 3)


@pytest.fixture(scope="module")
def model():
    return network(ARGUMENTS)


def wished(model, **wish):
    data = small_data()
    scores = l1_scores(model, data.train, data, None, SILENT)
    wishes.check(wish, model)
    edit = wishes.edit_of(wish, model, scores, SETTINGS, SHAPE, seed=3)
    return edit, scores


def test_a_named_block_goes_though_the_stage_gets_smaller_than_the_usual_minimum(model):
    edit, _ = wished(model, structure="layer", blocks=["layer2.1"])
    assert edit.blocks == ("layer2.1",)
    smaller = apply(edit, model)
    edit, _ = wished(smaller, structure="layer", blocks=["layer1.0", "layer1.2", "layer1.1"])
    bare = apply(edit, smaller)  # a whole stage gone: still a network
    assert [path for path, _ in bare.blocks()] == ["layer2.0"]
    assert bare(small_data().train.pixels_NHWC.permute(0, 3, 1, 2).float()).shape == (24, 3)


def test_a_layer_without_a_name_is_the_least_important_one(model):
    edit, scores = wished(model, structure="layer")
    assert edit.blocks == (min(("layer1.1", "layer1.2"), key=scores.blocks.__getitem__),)
    short = network({**ARGUMENTS, "inner_widths": [[4], [6, 5]]})
    edit, _ = wished(short, structure="layer")  # usually nothing may go here
    assert edit.blocks == ("layer2.1",)


@pytest.mark.parametrize("allocation", ["uniform", "global"])
def test_as_many_filters_go_as_were_wished_for(model, allocation):
    edit, scores = wished(model, structure="filter", count=7, allocation=allocation)
    assert edit.num_filters == 7
    if allocation == "global":
        ranked = sorted((s, p, i) for p, v in scores.filters.items() for i, s in enumerate(v))
        chosen = {(p, i) for p, indices in edit.filters for i in indices}
        assert (ranked[0][1], ranked[0][2]) in chosen


def test_a_count_left_out_is_that_of_the_usual_filter_candidate(model):
    edit, _ = wished(model, structure="filter")
    assert edit.num_filters == 8  # the two convolutions of a block of layer1
    assert wished(model, structure="filter", count=None, filters=None)[0] == edit


def test_named_filters_are_exactly_those_that_go(model):
    edit, _ = wished(model, structure="filter", filters={"layer1.0.conv1": [2, 1]})
    assert edit.filters == (("layer1.0.conv1", (1, 2)),)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"structure": "layer", "blocks": ["layer2.0"]},
         "layer2.0 changes the shape.*layer1.0, layer1.1, layer1.2, layer2.1"),
        ({"structure": "layer", "blocks": ["layer7.3"]}, "no block 'layer7.3'; it has layer1.0"),
        ({"structure": "layer", "blocks": ["layer1.1", "layer1.1"]}, "no block 'layer1.1'"),
        ({"structure": "layer", "blocks": []}, "names nothing"),
        ({"structure": "layer", "blocks": "layer1.1"}, "names nothing"),
        ({"structure": "filter", "filters": {"layer1.0.conv1": [4]}}, "filters 0 to 3; .* names 4"),
        ({"structure": "filter", "filters": {"layer1.0.conv1": [-1]}}, "filters 0 to 3"),
        ({"structure": "filter", "filters": {"layer1.0.conv1": [0.5]}}, "cannot be read"),
        ({"structure": "filter", "filters": {"layer1.0.conv1": [0, 1, 2, 3]}}, "all 4.*3 at most"),
        ({"structure": "filter", "filters": {"layer1.0.conv1": []}}, "no filters are named"),
        ({"structure": "filter", "filters": {"stem": [0]}}, "no prunable convolution 'stem'"),
        ({"structure": "filter", "filters": {}}, "names nothing"),
        ({"structure": "filter", "count": 19}, "19 filters cannot go.*1 to 18"),
        ({"structure": "filter", "count": 0}, "1 to 18"),
        ({"structure": "filter", "count": 2.0}, "1 to 18"),
        ({"structure": "filter", "allocation": "even"}, "uniform, global"),
        ({"structure": "filter", "count": 2, "filters": {"layer1.0.conv1": [0]}}, "not both"),
        ({"structure": "filter", "blocks": ["layer1.1"]}, "nothing about 'blocks'"),
        ({"structure": "head"}, "'head'; it is 'layer' or 'filter'"),
    ],
)  # fmt: skip
def test_a_wish_that_the_network_does_not_allow_says_what_it_does_allow(model, wish, message):
    with pytest.raises(EditError, match=message):
        wishes.check(wish, model)


def test_a_network_with_nothing_left_of_a_kind_says_so():
    bare = network({**ARGUMENTS, "inner_widths": [[1], [1]]})
    with pytest.raises(EditError, match=r"only its first block left; name one of layer1.0"):
        wishes.check({"structure": "layer"}, bare)
    with pytest.raises(EditError, match=r"no filter is left.*remove a layer"):
        wishes.check({"structure": "filter", "count": 1}, bare)


def test_scores_of_another_network_are_refused(model):
    _, scores = wished(model, structure="layer")
    assert Scores.from_dict(json.loads(json.dumps(scores.as_dict())), model) == scores
    other = network({**ARGUMENTS, "inner_widths": [[4, 4, 4], [6, 4]]})
    with pytest.raises(ScoresError, match="other filters"):
        Scores.from_dict(scores.as_dict(), other)
    with pytest.raises(ScoresError, match="other blocks"):
        Scores.from_dict(scores.as_dict(), network({**ARGUMENTS, "inner_widths": [[4], [6, 5]]}))
    with pytest.raises(ScoresError, match="cannot be read"):
        Scores.from_dict({"blocks": 3}, model)


@pytest.fixture
def propose(tmp_path):
    """Runs propose jobs of a small network on a small data set."""
    path = tmp_path / "noise.npz"
    random = np.random.default_rng(0)
    pixels, labels = random.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8), np.arange(60) % 3
    np.savez(path, x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    engine = Engine(tmp_path / "spool")
    model = build("cifar_resnet", ARGUMENTS, seed=1)
    data = load(str(path))
    job = {
        "kind": "propose", "seed": 5, "execution": choose("cpu", 1).as_dict(),
        "settings": {"data": str(path), "criterion": "kl", "criterion_samples": 4},
        "data": data.describe(),
        "parent": {
            "architecture": {"factory": "cifar_resnet", "arguments": ARGUMENTS, "edits": []},
            "snapshot": engine._spooled(model),
        },
    }  # fmt: skip
    return lambda **more: engine.run({**job, **more}, SILENT)


def test_a_wish_is_echoed_and_scores_computed_before_are_not_computed_again(propose, monkeypatch):
    usual = propose()
    assert [edit["structure"] for edit in usual["edits"]] == ["layer", "filter"]
    assert "wish" not in usual and len(usual["sample_ids"]) == 12

    def scored(*arguments):
        raise AssertionError("scored again")

    monkeypatch.setitem(CRITERIA, "kl", scored)
    wish = {"structure": "filter", "count": 3}
    found = propose(wish=wish, scores=usual["scores"])
    assert found["wish"] == wish and found["scores"] == usual["scores"]
    assert "sample_ids" not in found and found["criterion"] == "kl"
    (edit,) = found["edits"]
    assert sum(len(indices) for indices in edit["filters"].values()) == 3
    assert propose(scores=usual["scores"])["edits"] == usual["edits"]


def test_a_wish_without_scores_is_scored_unless_it_cannot_be_had(propose, monkeypatch):
    found = propose(wish={"structure": "layer"})
    assert found["edits"] == propose()["edits"][:1] and len(found["sample_ids"]) == 12
    monkeypatch.delitem(CRITERIA, "kl")  # a bad wish costs no scoring
    with pytest.raises(EditError, match=r"layer2\.0 changes the shape"):
        propose(wish={"structure": "layer", "blocks": ["layer2.0"]})


def test_a_checkpoint_that_does_not_name_its_data_asks_for_them_by_a_type_of_its_own(tmp_path):
    architecture = {"factory": "cifar_resnet", "arguments": ARGUMENTS, "edits": []}
    model = build("cifar_resnet", ARGUMENTS)
    path = tmp_path / "net.pt"
    about = {"name": "secret", "mean": [0.5] * 3, "std": [0.2] * 3, "classes": ["a", "b", "c"]}
    checkpoint.save(path, architecture, model.state_dict(), about, {})
    job = {"kind": "open", "path": str(path), "device": "cpu", "settings": {"data": ""}}
    with pytest.raises(DataNotNamedError, match=r"'secret'.*--data NAME"):
        Engine(tmp_path / "spool").run(job, SILENT)


def test_a_network_without_any_block_has_no_candidates(model):
    everything = [block.path for block in structure_of(network({**ARGUMENTS,
                  "stage_widths": [4], "inner_widths": [[4, 4]]})).blocks]  # fmt: skip
    small = network({**ARGUMENTS, "stage_widths": [4], "inner_widths": [[4, 4]]})
    edit, _ = wished(small, structure="layer", blocks=everything)
    bare = apply(edit, small)
    with pytest.raises(EditError, match="remove filters instead"):
        wishes.check({"structure": "layer"}, bare)
    from engine.pruning.candidates import propose as usual

    data = small_data()
    scores = l1_scores(bare, data.train, data, None, SILENT)
    assert usual(bare, scores, SETTINGS, SHAPE, 0) == []
