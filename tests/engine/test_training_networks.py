"""Training any network, from random weights or those of a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import CPU
from torchvision import models

from engine.checkpoints import ArchitectureError, load
from engine.checkpoints.new_classifier import with_classes
from engine.contracts.edits import Edit
from engine.contracts.events import Noted
from engine.contracts.jobs import Places, Recipe, TrainFromScratch
from engine.contracts.networks import Architecture
from engine.models import architecture_of_name
from engine.runtime.progress import Monitor
from engine.worker.training import train
from engine.worker.workbench import Workbench

REFERENCE = "torchvision.models:shufflenet_v2_x0_5"
STILL = Recipe(1, learning_rate=1e-9, batch_size=8, weight_decay=0.0, norms="frozen")


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 24), ("test", 9)):
        arrays[f"x_{split}"] = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{split}"] = np.arange(count) % 3
    np.savez(tmp_path / "three.npz", **arrays)
    return str(tmp_path / "three.npz")


@pytest.fixture
def of_imagenet(tmp_path):
    torch.manual_seed(3)
    model = models.get_model(REFERENCE.partition(":")[2], weights=None)
    torch.save(model.state_dict(), tmp_path / "imagenet.pth")
    return str(tmp_path / "imagenet.pth")


def trained(tmp_path, data, recipe, checkpoint="", name="out.pt", arch=REFERENCE):
    told = []
    places = Places(data=data, checkpoint=checkpoint, output=str(tmp_path / name))
    bench = Workbench(tmp_path / "spool")
    train(TrainFromScratch(arch, recipe), CPU, bench, places, Monitor(told.append))
    notes = [event.text for event in told if isinstance(event, Noted)]
    return load(tmp_path / name), notes


def test_weights_for_other_classes_keep_all_but_their_classifier(tmp_path, data, of_imagenet):
    loaded, notes = trained(tmp_path, data, STILL, of_imagenet)
    assert loaded.architecture.arguments == {"num_classes": 3}
    assert any("for 3 classes: 'fc.weight', 'fc.bias' begin random" in note for note in notes)
    before = torch.load(of_imagenet, weights_only=True)
    after = loaded.model.state_dict()
    others = [name for name in before if not name.startswith("fc.")]
    assert all(torch.allclose(after[name].float(), before[name].float(), atol=1e-6)
               for name in others)  # fmt: skip
    assert after["fc.weight"].shape == (3, 1024)
    # Those weights know images that were scaled as ImageNet's are.
    assert loaded.data.mean == (0.485, 0.456, 0.406)


def test_a_seed_gives_the_same_weights_and_another_one_others(tmp_path, data):
    recipes = (Recipe(1, batch_size=8), Recipe(1, batch_size=8), Recipe(1, batch_size=8, seed=1))
    first, again, other = (trained(tmp_path, data, recipe)[0] for recipe in recipes)
    name = "conv1.0.weight"
    assert torch.equal(first.model.state_dict()[name], again.model.state_dict()[name])
    assert not torch.equal(first.model.state_dict()[name], other.model.state_dict()[name])
    assert first.data.mean != (0.485, 0.456, 0.406)  # but those of the images


def test_a_checkpoint_of_the_same_classes_goes_on_as_it_is(tmp_path, data):
    first, _ = trained(tmp_path, data, Recipe(1, batch_size=8))
    loaded, notes = trained(tmp_path, data, STILL, str(tmp_path / "out.pt"), "more.pt", arch="")
    before, after = first.model.state_dict(), loaded.model.state_dict()
    assert all(torch.allclose(after[n].float(), before[n].float(), atol=1e-6) for n in before)
    assert loaded.data.mean == first.data.mean and not any("random" in note for note in notes)


def test_a_pruned_network_cannot_learn_other_classes(tmp_path, data):
    loaded, _ = trained(tmp_path, data, Recipe(1, batch_size=8))
    edits = (Edit("layer", blocks=("stage2.1",)),)
    pruned = Architecture(REFERENCE, {"num_classes": 3}, edits)
    with pytest.raises(ArchitectureError, match="was pruned, so it cannot be made anew for 10"):
        with_classes(pruned, loaded.model, 10, seed=0)


def test_a_short_name_is_trained_and_opens_again_as_a_network_of_its_family(tmp_path, data):
    loaded, _ = trained(tmp_path, data, Recipe(1, batch_size=8), arch="vgg11-bn")
    assert loaded.architecture.factory == "cifar_vgg"
    assert loaded.architecture.arguments["num_classes"] == 3
    named = architecture_of_name("vgg11-bn", num_classes=3, in_channels=3)
    assert loaded.architecture == named and loaded.data is not None
