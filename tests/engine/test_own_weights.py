"""Weights of a library's own know what their classes are called; other weights are left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from engine.checkpoints import LoadedNetwork
from engine.checkpoints.folder_fit import OtherClassesError, fit_to
from engine.contracts.networks import Architecture
from engine.contracts.references import TIMM
from engine.data import load
from engine.models.own_weights import are_imagenets, own_classes
from engine.worker.training import _fitted

REFERENCE = "torchvision.models:resnet18"
WEIGHTS = models.ResNet18_Weights.IMAGENET1K_V1
CATEGORIES = WEIGHTS.meta["categories"]
OF_TIMM = "timm:resnet18.a1_in1k"


def digest_of(url: str) -> str:
    return url.rpartition("-")[2].partition(".")[0].ljust(64, "0")


DIGEST = digest_of(WEIGHTS.url)


class Colour(nn.Module):
    """A thousand scores of an image's mean colour."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1000)

    def forward(self, images):
        return self.fc(images.mean((2, 3)))


def loaded(reference=REFERENCE, digest=DIGEST) -> LoadedNetwork:
    return LoadedNetwork(Architecture(reference), Colour().eval(), None, {}, (), digest)


def data_of(folder, classes):
    """An image of each class in every split."""
    count = len(classes)
    x = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    arrays = {f"{a}_{split}": v for split in ("train", "val", "test")
              for a, v in (("x", x), ("y", np.arange(count)))}  # fmt: skip
    np.savez(folder / "photos.npz", classes=np.array(classes), **arrays)
    return load(str(folder / "photos.npz"))


def test_classes_named_as_the_library_names_them_are_put_into_the_order_of_the_data(tmp_path):
    in_folders = sorted(name.replace(" ", "_") for name in CATEGORIES)
    data, network = data_of(tmp_path, in_folders), loaded()
    images = torch.rand(2, 3, 4, 4)
    before = network.model(images)
    (words,) = fit_to(data, network)
    assert "its library names its classes in another order ('tench' comes first)" in words
    after = network.model(images)
    for name in ("tench", "Cardigan", "cardigan", "toilet tissue"):
        ours, theirs = in_folders.index(name.replace(" ", "_")), CATEGORIES.index(name)
        torch.testing.assert_close(after[:, ours], before[:, theirs])


@pytest.mark.parametrize("network", [
    loaded(digest="0" * 64),  # learnt further, in an order that is not the library's to say
    loaded("cifar_vgg"), loaded("transformers:vit"), loaded("mynets:make"),
])  # fmt: skip
def test_weights_that_are_not_certainly_the_library_s_stay_as_they_are(tmp_path, network):
    data = data_of(tmp_path, sorted(CATEGORIES))
    before = network.model.fc.weight.clone()
    assert fit_to(data, network) == () and torch.equal(network.model.fc.weight, before)
    other = data_of(tmp_path, [f"n{number:08}" for number in range(1000)])
    assert fit_to(other, network) == ()


@pytest.mark.parametrize("classes", [
    CATEGORIES, list(map(str, range(1000))), ["something", *sorted(CATEGORIES)[1:]],
])  # fmt: skip
def test_the_same_order_and_names_that_nobody_knows_are_left_alone(tmp_path, classes):
    network = loaded()
    before = network.model.fc.weight.clone()
    assert fit_to(data_of(tmp_path, classes), network) == ()
    assert torch.equal(network.model.fc.weight, before)


def test_other_wordnet_ids_are_refused_and_may_be_learnt(tmp_path):
    data = data_of(tmp_path, [f"n{number:08}" for number in range(1000)])
    with pytest.raises(OtherClassesError, match=r"are not those of ImageNet-1k .*pe-explore train"):
        fit_to(data, loaded())
    (note,) = _fitted(data, loaded())
    assert note.endswith("('tench', 'goldfish', …): its classifier begins with theirs")


def test_imagenet_s_wordnet_ids_are_the_order_of_the_outputs(tmp_path):
    timm_data = pytest.importorskip("timm.data")
    ids = timm_data.ImageNetInfo().label_names()
    network = loaded()
    assert are_imagenets(ids) and not are_imagenets(ids[::-1])
    assert fit_to(data_of(tmp_path, ids), network) == ()
    with pytest.raises(OtherClassesError):
        fit_to(data_of(tmp_path, ["n00000001", *ids[1:]]), network)


def test_files_of_every_library_are_known_by_their_first_digits():
    for name in models.list_models(module=models):
        for each in models.get_model_weights(name):
            found = own_classes(f"torchvision.models:{name}", digest_of(each.url))
            assert list(found) == (each.meta["categories"] or [])  # those of features have none
    assert own_classes(REFERENCE, "f" * 64) == ()


def test_timm_s_weights_for_a_thousand_classes_are_those_of_imagenet():
    timm_models = pytest.importorskip("timm.models")
    url = timm_models.get_pretrained_cfg(OF_TIMM.removeprefix(f"{TIMM}:")).url
    assert list(own_classes(OF_TIMM, digest_of(url))) == CATEGORIES
    assert own_classes(OF_TIMM, "0" * 64) == () == own_classes("timm:resnet18.a2_in1k", DIGEST)
