"""A candidate compared with its parent by every measure and representation, edit to figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from any_networks import example
from networks import network, small_data
from task_networks import Language, Tabular, made, text, windows
from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError
from engine.contracts.events import EpochEnded, Noted
from engine.contracts.jobs import Places, Recover
from engine.contracts.networks import Architecture, DataRef, Execution, NetworkRef, SnapshotRef
from engine.contracts.setting_sections import SimilaritySettings, TrainingSettings
from engine.contracts.structure import Block, NetworkStructure
from engine.measures import accuracy
from engine.measures.accuracy import evaluate
from engine.measures.layers import layers_of, pooled
from engine.measures.similarities import SIMILARITIES, alike
from engine.pruning import editing
from engine.pruning.structure import structure_of
from engine.runtime.progress import SILENT, Monitor
from engine.tasks.images import ImageTask
from engine.worker import likeness
from engine.worker.handlers import recover
from engine.worker.workbench import Workbench

CPU = Execution("cpu", 1, None)
TRAINING = TrainingSettings(recovery_epochs=1, tune_epochs=1, batch_size=16)


class Bench(Workbench):
    """Has one task and one network, made here and not read from files."""

    def __init__(self, folder, task, model: nn.Module) -> None:
        super().__init__(folder)
        self.task, self.model = task, model

    def task_of(self, ref, places, execution, monitor):
        return self.task

    def network(self, ref, allowed):
        return self.model


def cifar(inner=((4, 4, 4), (6, 5))):
    arguments = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [*map(list, inner)]}
    model = network({**arguments, "num_classes": 3})
    return model, structure_of(model), ImageTask(small_data(30))


def vit():
    model, structure = example("ViT with grouped heads")
    data = small_data(30)
    return model, structure, ImageTask(data)


def tabular():
    blocks = tuple(Block(f"layers.{n}", "layers", removal="skip") for n in range(3))
    return made(Tabular), NetworkStructure(blocks), windows()


NETWORKS = {"CIFAR ResNet": cifar, "ViT": vit, "tabular Transformer": tabular}
REMOVED = {"CIFAR ResNet": "layer1.2", "ViT": "layers.2", "tabular Transformer": "layers.2"}


def recovered(folder, name: str, similarity: SimilaritySettings, monitor: Monitor = SILENT):
    model, structure, task = NETWORKS[name]()
    edit = Edit("layer", blocks=(REMOVED[name],))
    if not structure.read_off:
        edit = editing.explicit(edit, structure)
    job = Recover(
        NetworkRef(Architecture("x", {}), SnapshotRef("ab" * 32)), edit,
        DataRef("cd" * 32, (), ()), CPU, TRAINING, similarity, 1, 2,
        None if structure.read_off else structure,
    )  # fmt: skip
    return recover(job, Bench(folder, task, model), Places("", "", ""), monitor)


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("representation", ["penultimate", "stages", "all"])
def test_a_candidate_of_any_network_is_compared(tmp_path, name, representation):
    similarity = SimilaritySettings(
        num_resamples=3, representation=representation, second="cka-debiased"
    )
    found = recovered(tmp_path, name, similarity)
    assert 0 < found.metrics["similarity"] <= 1 and len(found.resamples) == 3
    assert 0 <= found.metrics["similarity_second"] <= 1


@pytest.mark.parametrize("measure", sorted(SIMILARITIES))
def test_by_every_measure(tmp_path, measure):
    found = recovered(tmp_path, "tabular Transformer", SimilaritySettings(measure, num_resamples=2))
    assert 0 <= found.metrics["similarity"] <= 1 and len(found.resamples) == 2
    assert "similarity_second" not in found.metrics
    again = SimilaritySettings("cka", num_resamples=0, second=measure)
    second = recovered(tmp_path, "tabular Transformer", again).metrics["similarity_second"]
    assert second == found.metrics["similarity"]


def test_what_cannot_be_compared_is_refused_before_any_training(tmp_path):
    events = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 3))
    smaller = nn.Sequential(nn.Flatten(), nn.Linear(20, 4), nn.ReLU(), nn.Linear(4, 3))
    bench = Bench(tmp_path, windows(), model)
    job = Recover(
        NetworkRef(Architecture("x", {}), SnapshotRef("ab" * 32)), Edit("layer"),
        DataRef("cd" * 32, (), ()), CPU, TRAINING, SimilaritySettings("cosine"), 1, 2,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(editing, "apply", lambda edit, parent: smaller)
        with pytest.raises(EngineError, match="6 stand against 4"):
            recover(job, bench, Places("", "", ""), Monitor(events.append))
    assert not [event for event in events if isinstance(event, EpochEnded)]


def test_few_rows_for_the_width_are_told_once_and_by_linear_cka_alone(tmp_path):
    events = []
    model, _, task = tabular()
    bench = Bench(tmp_path, task, model)
    wide = torch.randn(40, 50, generator=torch.Generator().manual_seed(0))
    monitor = Monitor(events.append)
    likeness._tell_bias([(wide, wide)], bench, monitor)
    likeness._tell_bias([(wide, wide)], bench, monitor)
    (note,) = [event.text for event in events if isinstance(event, Noted)]
    assert "CKA of 40 rows of 50 features" in note and "cka-debiased" in note
    few = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    likeness._tell_bias([(few, few)], bench, monitor)
    assert len(events) == 1


# ------------------------------------------------------------ layers


def test_layers_are_blocks_or_the_last_blocks_of_stages_and_removed_blocks_have_none():
    structure = cifar()[1]
    assert layers_of(structure, "penultimate") == {}
    assert list(layers_of(structure, "all").values()) == [block.path for block in structure.blocks]
    assert layers_of(structure, "stages") == {"layer1": "layer1.2", "layer2": "layer2.1"}
    gone = layers_of(structure, "stages", {"layer1.2"})
    assert gone == {"layer1": "layer1.1", "layer2": "layer2.1"}
    assert "layer1.2" not in layers_of(structure, "all", {"layer1.2"})
    with pytest.raises(EngineError, match=r"--representation penultimate"):
        layers_of(NetworkStructure(), "all")


def test_of_all_layers_it_is_the_mean_over_the_blocks_that_both_have():
    model, structure, task = cifar()
    pruned = editing.apply(Edit("layer", blocks=("layer1.2",)), model)
    layers = [layers_of(structure, "all"), layers_of(structure, "all", {"layer1.2"})]
    of_parent, of_candidate = (
        evaluate(each, task, "validation", CPU, layers=paths)
        for each, paths in zip((model, pruned), layers, strict=True)
    )
    assert set(of_candidate.layers) == set(of_parent.layers) - {"layer1.2"}
    before, after = (
        alike(SIMILARITIES["cka"], of_parent.layers[path], of_candidate.layers[path])
        for path in ("layer1.1", "layer2.1")
    )
    assert before == pytest.approx(1) and after < 0.9999
    # The last block's features are those before the classifier.
    torch.testing.assert_close(of_parent.layers["layer2.1"], of_parent.features_MD)
    plain = evaluate(model, task, "validation", CPU)
    torch.testing.assert_close(plain.features_MD, of_parent.features_MD, rtol=1e-5, atol=1e-5)


def test_layers_of_sequences_have_the_rows_that_are_asked_for():
    model, task = made(Language), text()
    found = evaluate(model, task, "validation", CPU, layers={"a": "layers.0", "b": "layers.2"})
    rows = len(found.targets_M)
    assert found.layers["a"].shape == found.layers["b"].shape == (rows, 8)
    with torch.inference_mode():
        normed = model.norm(found.layers["b"])
    torch.testing.assert_close(normed, found.features_MD, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "channels_first", "axes"),
    [((5, 3, 4, 4), False, (2, 3)), ((5, 4, 4, 3), False, (1, 2)), ((5, 4, 4, 4), False, (2, 3)),
     ((5, 3, 4, 7), False, (2, 3)), ((5, 6, 3), False, (1,)), ((5, 3, 6), True, (2,)),
     ((5, 3), False, ())],
)  # fmt: skip
def test_maps_tokens_and_signals_are_averaged_over_where_they_lie(shape, channels_first, axes):
    maps = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = maps.mean(axes) if axes else maps
    found = pooled(torch.tensor(maps), channels_first)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_layers_that_do_not_fit_into_memory_are_refused(monkeypatch):
    model, structure, task = cifar()
    monkeypatch.setattr(accuracy, "MOST_BYTES", 1000)
    with pytest.raises(EngineError, match=r"4 layers.*--representation stages"):
        layers = dict(list(layers_of(structure, "all").items())[:4])
        evaluate(model, task, "validation", CPU, layers=layers)
