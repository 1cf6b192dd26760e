"""A folder that transformers saved: what it says of images and classes is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from networks import CPU
from test_any_roots import write_images
from torch import nn

from engine.checkpoints import ArchitectureError, LoadedNetwork
from engine.checkpoints.folder_fit import fit_to, put_in_order
from engine.checkpoints.normalisation import choose
from engine.checkpoints.saved_folder import FolderWords, words_beside
from engine.contracts.errors import DataError
from engine.contracts.jobs import JobRequest, OpenRoot, Places
from engine.contracts.networks import Architecture, FileRef
from engine.runtime.progress import SILENT
from engine.worker.engine import Engine

torch.set_num_threads(1)

VIT = {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.4, 0.3],
       "image_std": [0.5, 0.25, 0.2], "rescale_factor": 1 / 255,
       "size": {"height": 224, "width": 224}}  # fmt: skip


def said(folder: Path, preprocessor: object = None, config: object = None) -> FolderWords:
    for name, told in (("preprocessor_config.json", preprocessor), ("config.json", config)):
        if told is not None:
            (folder / name).write_text(told if isinstance(told, str) else json.dumps(told))
    return words_beside(folder / "model.safetensors")


def pixels_as_the_library_scales(byte: float, told: dict) -> list[float]:
    value = byte * told.get("rescale_factor", 1 / 255) if told.get("do_rescale", True) else byte
    value -= 1 if told.get("rescale_offset") else 0
    if not told.get("do_normalize", True):
        return [value] * 3
    return [(value - m) / s for m, s in zip(told["image_mean"], told["image_std"], strict=True)]


@pytest.mark.parametrize("changes", [
    {}, {"do_normalize": False}, {"do_rescale": False}, {"rescale_factor": 1 / 127.5},
    {"rescale_factor": 1 / 127.5, "rescale_offset": True},
    {"do_rescale": False, "image_mean": [127.0] * 3, "image_std": [64.0] * 3},
], ids=str)  # fmt: skip
def test_its_scaling_is_that_of_pixels_between_0_and_1(changes, tmp_path):
    told = {**VIT, **changes}
    mean, std = said(tmp_path, told).scaling
    for byte in (0, 100, 255):
        ours = [(byte / 255 - m) / s for m, s in zip(mean, std, strict=True)]
        assert ours == pytest.approx(pixels_as_the_library_scales(byte, told), abs=1e-6)


@pytest.mark.parametrize(("changes", "options"), [
    ({}, "--image-size 224"),
    ({"size": 96}, "--image-size 96"),
    ({"size": {"shortest_edge": 256}, "do_center_crop": True,
      "crop_size": {"height": 224, "width": 224}}, "--image-size 224 --resize 256"),
    ({"size": {"shortest_edge": 256}, "crop_size": 224}, "--image-size 256"),
    ({"size": {"height": 224, "width": 320}}, ""),
    ({"do_resize": False}, ""),
], ids=str)  # fmt: skip
def test_its_size_is_told_as_options(changes, options, tmp_path):
    assert said(tmp_path, {**VIT, **changes}).options == options


@pytest.mark.parametrize(("changes", "words"), [
    ({"image_std": [0.5, 0.0, 0.5]}, r"has \[0.5, 0.0, 0.5\] as 'image_std'"),
    ({"image_std": [0.5]}, "'image_std'"), ({"image_mean": "x"}, "'image_mean'"),
    ({"image_mean": [float("nan")] * 3}, "'image_mean'"), ({"image_mean": []}, "'image_mean'"),
    ({"image_mean": [1e300] * 3}, "'image_mean'"), ({"image_mean": [True] * 3}, "'image_mean'"),
    ({"image_mean": [10**400] * 3}, "'image_mean'"), ({"rescale_factor": 0}, "'rescale_factor'"),
    ({"rescale_factor": None}, "'rescale_factor'"), ({"size": 10**9}, "1000000000 as 'size'"),
    ({"size": True}, "'size'"), ({"size": {"height": -3}}, "'size'"),
])  # fmt: skip
def test_values_that_no_image_can_be_read_by_are_refused(changes, words, tmp_path):
    with pytest.raises(ArchitectureError, match=words) as refused:
        said(tmp_path, {**VIT, **changes})
    assert "take that file out of the folder" in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, '"x"', "{" + " " * 2**20 + "}"])
def test_a_file_that_is_no_configuration_is_refused(text, tmp_path):
    with pytest.raises(ArchitectureError, match=r"preprocessor_config\.json beside it"):
        said(tmp_path, text)


def test_a_folder_without_these_says_nothing(tmp_path):
    assert said(tmp_path) == FolderWords()
    assert said(tmp_path, {}, {"id2label": {"0": "a", "2": "b"}}) == FolderWords()
    assert said(tmp_path, {}, {"id2label": {"0": 1, "1": "b"}}).classes == ()
    assert said(tmp_path, {}, {"id2label": {"1": "b", "0": "a"}}).classes == ("a", "b")


class Colours(nn.Module):
    """Tells images by their brightness, at any size: dark, middling and bright ones."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([-1.0, 0.0, 1.0])[:, None].expand(3, 3))
            self.head.bias.copy_(torch.tensor([1.0, 1.2, 0.0]))

    def forward(self, images):
        return {"logits": self.head(images.mean((2, 3)))}


def data_of(folder: Path):
    write_images(folder / "images.npz")
    return Engine(folder / "spool").bench.images(
        str(folder / "images.npz"), OpenRoot(FileRef("x", "0"), device="cpu").reading, SILENT
    )


def test_classes_in_another_order_are_put_into_that_of_the_data(tmp_path):
    data, model = data_of(tmp_path), Colours().eval()
    images = torch.rand(4, 3, 8, 8)
    before = model(images)["logits"]
    names = [data.classes[1], data.classes[2].upper(), data.classes[0]]
    words = put_in_order(model, names, data)
    assert words is not None and "its outputs were put into the order of images" in words
    torch.testing.assert_close(model(images)["logits"], before[:, [2, 0, 1]])
    assert put_in_order(model, list(data.classes), data) is None
    assert put_in_order(model, ["LABEL_0", "LABEL_1", "LABEL_2"], data) is None


def test_a_classifier_that_cannot_be_reordered_is_left_as_it_is(tmp_path):
    class Twice(Colours):
        def forward(self, images):
            return self.head(images.mean((2, 3))).cumsum(1)

    data, model = data_of(tmp_path), Twice().eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    words = put_in_order(model, data.classes[::-1], data)
    assert words is not None and "name the class folders" in words
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())


def test_its_scaling_is_taken_unless_another_is_clearly_better(tmp_path):
    data = data_of(tmp_path)
    folder = FolderWords(scaling=((0.4,) * 3, (0.3,) * 3), image_size=64)
    architecture = Architecture("transformers:vit", {})
    loaded = LoadedNetwork(architecture, Colours().eval(), None, {}, (), "", folder=folder)
    assert any("--image-size 64 brings them to that size" in note for note in fit_to(data, loaded))
    choice = choose(loaded, architecture, data, CPU, SILENT)
    assert choice.name == "its folder" and choice.mean == (0.4, 0.4, 0.4)
    assert any("which its folder names, none being clearly better" in n for n in choice.notes)


def test_a_folder_of_transformers_is_opened_as_it_says(tmp_path):
    transformers = pytest.importorskip("transformers")
    data = data_of(tmp_path)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        image_size=32, patch_size=8, num_labels=3,
        id2label=dict(enumerate(data.classes[::-1])),
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(config)
    model.save_pretrained(tmp_path / "vit")
    said(tmp_path / "vit", {**VIT, "size": 32})
    path = tmp_path / "vit" / "model.safetensors"
    places = Places(data=str(tmp_path / "images.npz"), checkpoint=str(path))
    job = OpenRoot(FileRef("model.safetensors", "0"), arch="transformers:vit", device="cpu")
    engine = Engine(tmp_path / "spool")
    root = engine.run(JobRequest("o", job, places=places), SILENT)
    assert root.data.normalisation == "its folder" and root.data.mean == (0.5, 0.4, 0.3)
    assert any("names its classes in another order" in note for note in root.notes)
    kept = engine.bench.spool / f"{root.snapshot.sha256}.safetensors"
    weights = safetensors.torch.load_file(kept)
    assert torch.equal(weights["classifier.bias"], model.classifier.bias.flip(0))
    write_images(tmp_path / "images.npz", size=40)
    with pytest.raises(DataError, match=r"takes images of 32×32 pixels.*with --image-size 32"):
        Engine(tmp_path / "spool").run(JobRequest("o", job, places=places), SILENT)
