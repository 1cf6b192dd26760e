"""What a person asks to be removed, and how a proposal answers it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from networks import CPU, everything, network, small_data

from engine.checkpoints import write as checkpoint
from engine.contracts.codec import FormatError, decode, encode
from engine.contracts.edits import Edit
from engine.contracts.errors import DataNotNamedError, EditError, ScoresError
from engine.contracts.jobs import JobRequest, OpenRoot, Places, Propose, Proposed
from engine.contracts.networks import (
    Architecture,
    DataDescription,
    DataRef,
    FileRef,
    NetworkRef,
    Scores,
    SnapshotRef,
)
from engine.contracts.requests import EditRequest, RemoveBlocks, RemoveUnits
from engine.contracts.setting_sections import ScoringSettings
from engine.data import load
from engine.models import build
from engine.pruning import candidates, requests
from engine.pruning.criteria import CRITERIA
from engine.pruning.criteria.magnitude import l1_scores
from engine.pruning.editing import apply
from engine.pruning.scores import check_scores
from engine.pruning.structure import structure_of
from engine.runtime.device import choose
from engine.runtime.progress import SILENT
from engine.tasks.images import blank
from engine.worker.engine import Engine

ARGUMENTS = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 4, 4], [6, 5]],
             "num_classes": 3}  # fmt: skip
SCORING = ScoringSettings(criterion="l1", min_blocks=2)
SHAPE = blank((8, 8, 3))


@pytest.fixture(scope="module")
def model():
    return network(ARGUMENTS)


def asked(model, request: EditRequest) -> tuple[Edit, Scores]:
    """The edit that a request means, and the scores it was made from."""
    data = small_data()
    scores = l1_scores(model, structure_of(model), *everything(data), CPU, SILENT)
    requests.check(request, model, structure_of(model))
    return requests.edit_of(
        request, model, structure_of(model), scores, SCORING, SHAPE, seed=3
    ), scores


def test_a_named_block_goes_though_the_stage_gets_smaller_than_the_usual_minimum(model):
    edit, _ = asked(model, RemoveBlocks(("layer2.1",)))
    assert edit.blocks == ("layer2.1",)
    smaller = apply(edit, model)
    edit, _ = asked(smaller, RemoveBlocks(("layer1.0", "layer1.2", "layer1.1")))
    bare = apply(edit, smaller)  # a whole stage gone: still a network
    assert [path for path, _ in bare.blocks()] == ["layer2.0"]
    assert bare(small_data().train.pixels_NHWC.permute(0, 3, 1, 2).float()).shape == (24, 3)


def test_a_layer_without_a_name_is_the_least_important_one(model):
    edit, scores = asked(model, RemoveBlocks())
    assert edit.blocks == (min(("layer1.1", "layer1.2"), key=scores.blocks.__getitem__),)
    short = network({**ARGUMENTS, "inner_widths": [[4], [6, 5]]})
    edit, _ = asked(short, RemoveBlocks())  # usually nothing may go here
    assert edit.blocks == ("layer2.1",)


@pytest.mark.parametrize("allocation", ["uniform", "global"])
def test_as_many_filters_go_as_were_asked_for(model, allocation):
    edit, scores = asked(model, RemoveUnits(count=7, allocation=allocation))
    assert edit.num_units == 7
    if allocation == "global":
        ranked = sorted((s, p, i) for p, v in scores.units.items() for i, s in enumerate(v))
        chosen = {(p, i) for p, indices in edit.units for i in indices}
        assert (ranked[0][1], ranked[0][2]) in chosen


def test_a_count_left_out_is_that_of_the_usual_filter_candidate(model):
    edit, _ = asked(model, RemoveUnits())
    assert edit.num_units == 8  # the two convolutions of a block of layer1
    as_json = {"kind": "filter", "count": None, "units": None, "allocation": None}
    assert asked(model, decode(RemoveUnits, as_json))[0] == edit


def test_named_filters_are_exactly_those_that_go(model):
    edit, _ = asked(model, RemoveUnits(units={"layer1.0.conv1": (2, 1)}))
    assert edit.units == (("layer1.0.conv1", (1, 2)),)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RemoveBlocks(("layer2.0",)),
         "layer2.0 changes the shape.*layer1.0, layer1.1, layer1.2, layer2.1"),
        (RemoveBlocks(("layer7.3",)), "no block 'layer7.3'; it has layer1.0"),
        (RemoveBlocks(("layer1.1", "layer1.1")), "no block 'layer1.1'"),
        (RemoveBlocks(()), "names nothing"),
        (RemoveUnits(units={"layer1.0.conv1": (4,)}), "filters 0 to 3; .* names 4"),
        (RemoveUnits(units={"layer1.0.conv1": (-1,)}), "filters 0 to 3"),
        (RemoveUnits(units={"layer1.0.conv1": (0, 0)}), "twice"),
        (RemoveUnits(units={"layer1.0.conv1": (0, 1, 2, 3)}), "all 4.*3 at most"),
        (RemoveUnits(units={"layer1.0.conv1": ()}), "no filters are named"),
        (RemoveUnits(units={"stem": (0,)}), "no prunable convolution 'stem'"),
        (RemoveUnits(units={}), "names nothing"),
        (RemoveUnits(19), "19 filters cannot go.*1 to 18"),
        (RemoveUnits(0), "1 to 18"),
        (RemoveUnits(allocation="even"), "uniform, global"),
        (RemoveUnits(2, units={"layer1.0.conv1": (0,)}), "not both"),
        (RemoveUnits(allocation="global", units={"layer1.0.conv1": (0,)}), "not both"),
    ],
)  # fmt: skip
def test_a_request_that_the_network_does_not_allow_says_what_it_does_allow(
    model, request_, message
):
    with pytest.raises(EditError, match=message):
        requests.check(request_, model, structure_of(model))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "layer", "blocks": "layer1.1"}, "request.blocks is 'layer1.1', not a list"),
        ({"kind": "filter", "units": {"layer1.0.conv1": [0.5]}}, "is 0.5, not a whole number"),
        ({"kind": "filter", "count": 2.0}, "request.count is 2.0, not a whole number"),
        ({"kind": "filter", "count": True}, "request.count is True, not a whole number"),
        ({"kind": "head"}, "'head'; it is one of layer, filter"),
        ({"structure": "layer"}, "is of kind None; it is one of layer, filter"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_with_its_job(document, message):
    job = Propose(
        NetworkRef(Architecture("cifar_resnet"), SnapshotRef("a")),
        DataRef("d", (0.5,), (0.2,)), choose("cpu", 1), SCORING, seed=0,
    )  # fmt: skip
    with pytest.raises(FormatError, match=message):
        decode(Propose, {**encode(job), "request": document})


def test_a_network_with_nothing_left_of_a_kind_says_so():
    bare = network({**ARGUMENTS, "inner_widths": [[1], [1]]})
    with pytest.raises(EditError, match=r"only its first block left; name one of layer1.0"):
        requests.check(RemoveBlocks(), bare, structure_of(bare))
    with pytest.raises(EditError, match=r"no filter is left.*remove a layer"):
        requests.check(RemoveUnits(1), bare, structure_of(bare))


def test_scores_of_another_network_are_refused(model):
    _, scores = asked(model, RemoveBlocks())
    again = decode(Scores, json.loads(json.dumps(encode(scores))))
    assert again == scores
    check_scores(again, structure_of(model))
    with pytest.raises(ScoresError, match="other units"):
        check_scores(
            again, structure_of(network({**ARGUMENTS, "inner_widths": [[4, 4, 4], [6, 4]]}))
        )
    with pytest.raises(ScoresError, match="other blocks"):
        check_scores(again, structure_of(network({**ARGUMENTS, "inner_widths": [[4], [6, 5]]})))
    with pytest.raises(FormatError, match=r"Scores\.blocks is 3, not an object"):
        decode(Scores, {"blocks": 3, "filters": {}})


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
    job = Propose(
        parent=NetworkRef(Architecture("cifar_resnet", ARGUMENTS), engine.bench.keep(model)),
        data=DataRef(data.digest, data.mean, data.std),
        execution=choose("cpu", 1),
        scoring=ScoringSettings(criterion="kl", criterion_samples=4),
        seed=5,
    )

    def run(**more) -> Proposed:
        request = JobRequest("p", replace(job, **more), places=Places(data=str(path)))
        result = engine.run(request, SILENT)
        assert isinstance(result, Proposed)
        return result

    return run


def test_a_request_is_echoed_and_scores_computed_before_are_not_computed_again(
    propose, monkeypatch
):
    usual = propose()
    assert [edit.structure for edit in usual.edits] == ["layer", "filter"]
    assert usual.request is None and usual.sample_ids is not None and len(usual.sample_ids) == 12

    def scored(*arguments):
        raise AssertionError("scored again")

    monkeypatch.setitem(CRITERIA, "kl", scored)
    wanted = RemoveUnits(3)
    found = propose(request=wanted, scores=usual.scores)
    assert found.request == wanted and found.scores == usual.scores
    assert found.sample_ids is None and found.criterion == "kl"
    (edit,) = found.edits
    assert edit.num_units == 3
    assert propose(scores=usual.scores).edits == usual.edits


def test_a_request_without_scores_is_scored_unless_it_cannot_be_had(propose, monkeypatch):
    found = propose(request=RemoveBlocks())
    assert found.edits == propose().edits[:1] and len(found.sample_ids) == 12
    monkeypatch.delitem(CRITERIA, "kl")  # a bad request costs no scoring
    with pytest.raises(EditError, match=r"layer2\.0 changes the shape"):
        propose(request=RemoveBlocks(("layer2.0",)))


def test_scores_of_another_network_are_not_proposed_from(propose):
    scores = propose().scores
    with pytest.raises(ScoresError, match="other blocks"):
        propose(scores=replace(scores, blocks={"layer1.0": 0.1}))


def test_a_checkpoint_that_does_not_name_its_data_asks_for_them_by_a_type_of_its_own(tmp_path):
    model = build("cifar_resnet", ARGUMENTS)
    path = tmp_path / "net.pt"
    about = DataDescription("secret", ("a", "b", "c"), mean=(0.5,) * 3, std=(0.2,) * 3)
    architecture = Architecture("cifar_resnet", ARGUMENTS)
    checkpoint.save(path, architecture, model.state_dict(), about, {})
    job = OpenRoot(FileRef("net.pt", "0" * 64), device="cpu")
    with pytest.raises(DataNotNamedError, match=r"'secret'.*--data NAME"):
        Engine(tmp_path / "spool").run(
            JobRequest("o", job, places=Places(checkpoint=str(path))), SILENT
        )


def test_a_network_without_any_block_has_no_candidates():
    small = network({**ARGUMENTS, "stage_widths": [4], "inner_widths": [[4, 4]]})
    all_blocks = tuple(block.path for block in structure_of(small).blocks)
    edit, _ = asked(small, RemoveBlocks(all_blocks))
    bare = apply(edit, small)
    with pytest.raises(EditError, match="remove filters instead"):
        requests.check(RemoveBlocks(), bare, structure_of(bare))
    data = small_data()
    scores = l1_scores(bare, structure_of(bare), *everything(data), CPU, SILENT)
    assert candidates.propose(bare, structure_of(bare), scores, SCORING, SHAPE, 0) == []
