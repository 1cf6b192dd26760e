"""Networks that are no CIFAR ResNet as roots: opened, measured, recovered, tuned, exported."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
from data_files import image_folder, pixels
from networks import CPU, randomise_statistics

from engine.checkpoints import ArchitectureError, load
from engine.contracts.edits import Edit, Removal, Slice
from engine.contracts.errors import DataError, EngineError, UnknownFamilyError
from engine.contracts.jobs import (
    Export,
    JobRequest,
    Opened,
    OpenRoot,
    Places,
    Propose,
    Recover,
    Tune,
)
from engine.contracts.loaders import WORKERS_VARIABLE
from engine.contracts.networks import Architecture, DataRef, FileRef, NetworkRef, Reading
from engine.contracts.references import ForeignFactoryError, factory_here
from engine.contracts.setting_sections import ScoringSettings, SimilaritySettings, TrainingSettings
from engine.models import build
from engine.models.hugging_face import check_config
from engine.models.libraries import weight_urls
from engine.runtime.progress import SILENT
from engine.worker.engine import Engine

RESNET, SMALL = "torchvision.models:resnet18", "torchvision.models:squeezenet1_1"
FILE = FileRef("net.pt", "ab")
TRAINING = TrainingSettings(recovery_epochs=1, tune_epochs=2, batch_size=8, learning_rate=0.001)
SOURCE = """
import torch
from torch import nn

class PreActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1, self.conv1 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        self.bn2, self.conv2 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, images):
        x = self.stem(images)
        x = x + self.conv2(self.bn2(self.conv1(self.bn1(x).relu())).relu())
        return {"features": x, "logits": self.head(x.mean((2, 3)))}

def make():
    torch.manual_seed(1)
    return PreActivation()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with images of three classes, where Python looks for modules last."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    before = set(sys.modules)
    write_images(tmp_path / "images.npz")
    yield tmp_path
    for name in set(sys.modules) - before:
        if not name.startswith(("torch", "timm")):
            del sys.modules[name]


def write_images(path: Path, size: int = 32, channels: int = 3, classes: int = 3) -> None:
    """Images whose brightness is their class."""
    random = np.random.default_rng(0)

    def split(count: int):
        labels = np.arange(count) % classes
        noise = random.integers(0, 60, (count, size, size, channels))
        return (noise + 60 * labels[:, None, None, None]).astype(np.uint8), labels

    (x_train, y_train), (x_test, y_test) = split(24), split(9)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def saved(folder: Path, name: str, num_classes: int = 3, prefix: str = "") -> torch.nn.Module:
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, num_classes=num_classes)
    model = randomise_statistics(model, 3)
    torch.save({f"{prefix}{k}": v for k, v in model.state_dict().items()}, folder / "net.pt")
    return model


def opened(folder: Path, arch: str | None, **changes) -> tuple[Engine, Places, Opened]:
    engine = Engine(folder / "spool")
    places = Places(data=str(folder / "images.npz"), checkpoint=str(folder / "net.pt"))
    places = replace(places, **changes.pop("places", {}))
    job = OpenRoot(FILE, arch=arch, device="cpu", **changes)
    return engine, places, engine.run(JobRequest("o", job, places=places), SILENT)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_network_of_torchvision_is_read_with_a_files_weights(folder, prefix):
    model = saved(folder, "resnet18", prefix=prefix)
    loaded = load(folder / "net.pt", arch=RESNET)
    assert loaded.architecture == Architecture(RESNET, {"num_classes": 3})
    kept = loaded.model.state_dict()
    assert all(torch.equal(kept[k], v) for k, v in model.state_dict().items())
    assert any("torchvision's resnet18 with 3 classes" in note for note in loaded.notes)


@pytest.mark.slow
def test_it_is_edited_trained_and_exported_and_opens_again(folder):
    model = saved(folder, "resnet18")
    engine, places, root = opened(folder, RESNET)
    assert root.metrics["params"] == sum(p.numel() for p in model.parameters())
    assert root.data.normalisation == "imagenet"  # as its library says, nothing being better
    assert root.structure is not None and len(root.structure.blocks) == 8
    edit = Edit(
        "filter",
        units=(("layer1.0.conv1", (0, 5)),),
        removals=(Removal("layer4.1"),),
        slices=(
            Slice("layer1.0.conv1.weight", 0, (0, 5)),
            *(Slice(f"layer1.0.bn1.{name}", 0, (0, 5))
              for name in ("weight", "bias", "running_mean", "running_var")),
            Slice("layer1.0.conv2.weight", 1, (0, 5)),
        ),
    )  # fmt: skip
    data = DataRef(root.data.digest, root.data.mean, root.data.std)

    def do(job):
        return engine.run(JobRequest("j", job, places=places), SILENT)

    parent = NetworkRef(root.architecture, root.snapshot)
    similarity = SimilaritySettings(num_resamples=3)
    recovered = do(Recover(parent, edit, data, CPU, TRAINING, similarity, 2, 3))
    assert 0 < recovered.metrics["similarity"] <= 1
    assert recovered.metrics["params"] < root.metrics["params"]
    child = replace(root.architecture, edits=(edit,))
    tuned = do(Tune(NetworkRef(child, recovered.snapshot), data, CPU, TRAINING, seed=4))
    again = do(Tune(NetworkRef(child, recovered.snapshot), data, CPU, TRAINING, seed=4))
    assert tuned.snapshot == again.snapshot  # bit for bit
    for suffix in (".pt", ".safetensors"):
        places = replace(places, output=str(folder / f"out{suffix}"))
        do(Export(NetworkRef(child, tuned.snapshot), root.data, {}, format=suffix))
        exported = load(places.output)
        assert exported.architecture == child
        reopened = opened(folder, None, places={"checkpoint": places.output})[2]
        assert reopened.snapshot == tuned.snapshot
        assert reopened.metrics["test_accuracy"] == tuned.metrics["test_accuracy"]


def test_a_network_with_random_weights_says_so_and_waits_for_nobody(folder):
    engine, _, root = opened(folder, SMALL, untrained=True)
    assert root.architecture.arguments == {"num_classes": 3}
    assert [doubt.code for doubt in root.doubts if doubt.code != "test-in-training"] == [
        "untrained"
    ]
    assert not any(doubt.asks for doubt in root.doubts)
    kept = safetensors.torch.load_file(engine.bench.spool / f"{root.snapshot.sha256}.safetensors")
    same = build(SMALL, {"num_classes": 3}).state_dict()  # the same ones each time
    assert all(torch.equal(kept[name], value) for name, value in same.items())


def test_attention_is_prepared_and_its_architecture_says_so(folder):
    (folder / "mynets.py").write_text(
        SOURCE + "def small_vit():\n    from torchvision.models import VisionTransformer\n"
        "    return VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)\n"
    )
    _, _, root = opened(folder, "mynets:small_vit", untrained=True)
    assert root.architecture == Architecture("mynets:small_vit", prepared=("attention",))


def test_a_persons_network_is_opened_and_later_called_only_where_that_is_allowed(folder):
    (folder / "mynets.py").write_text(SOURCE)
    model = build("mynets:make", {})
    torch.save(model.state_dict(), folder / "net.pt")
    engine, places, root = opened(folder, "mynets:make")
    assert root.architecture == Architecture("mynets:make")
    data = DataRef(root.data.digest, root.data.mean, root.data.std)
    job = Tune(NetworkRef(root.architecture, root.snapshot), data, CPU, TRAINING, seed=4)
    with pytest.raises(ForeignFactoryError, match=r"refused .*--allow-factory mynets:make"):
        engine.run(JobRequest("t", job, places=places), SILENT)
    allowed = replace(places, factory=factory_here("mynets:make"))
    assert engine.run(JobRequest("t", job, places=allowed), SILENT).metrics
    with open(folder / "mynets.py", "a") as file:
        file.write("\nprint('another')\n")
    with pytest.raises(ForeignFactoryError, match="has changed since it was allowed"):
        engine.run(JobRequest("t", job, places=allowed), SILENT)
    arguments = replace(root.architecture, arguments={"path": "x"})
    job = replace(job, network=NetworkRef(arguments, root.snapshot))
    now = replace(places, factory=factory_here("mynets:make"))
    with pytest.raises(ForeignFactoryError, match="with arguments of a store"):
        engine.run(JobRequest("t", job, places=now), SILENT)


@pytest.mark.parametrize(("size", "channels", "classes", "words"), [
    (32, 1, 3, "takes images of 3 channels, images has 1"),
    (32, 3, 4, "tells 3 classes apart, images has 4"),
])  # fmt: skip
def test_images_that_do_not_fit_are_told_with_what_would(folder, size, channels, classes, words):
    saved(folder, "resnet18")
    write_images(folder / "images.npz", size, channels, classes)
    with pytest.raises(DataError, match=words):
        opened(folder, RESNET)


def test_images_of_another_size_are_told_and_those_of_the_right_one_taken(folder):
    (folder / "mynets.py").write_text(
        "def make():\n    from torchvision.models import VisionTransformer\n"
        "    return VisionTransformer(96, 32, 1, 2, 16, 32, num_classes=3)\n"
    )
    with pytest.raises(DataError, match="takes images of 96×96 pixels, those of images have 32×32"):
        opened(folder, "mynets:make", untrained=True)
    write_images(folder / "images.npz", size=96)
    assert opened(folder, "mynets:make", untrained=True)[2].metrics["macs"] > 0


@pytest.mark.parametrize(("arch", "words"), [
    ("torchvision.models:resnet19", r"no classification network 'resnet19'; did you mean"),
    ("torchvision.models:list_models", "no classification network 'list_models'"),
    ("torchvision.models:fcn_resnet50", "no classification network 'fcn_resnet50'"),
    ("nowhere:make", "there is no module 'nowhere'"),
])  # fmt: skip
def test_names_of_no_registry_are_refused(folder, arch, words):
    saved(folder, "resnet18")
    with pytest.raises(UnknownFamilyError, match=words):
        opened(folder, arch)


def test_weights_of_another_network_are_refused_with_what_differs(folder):
    saved(folder, "resnet18")
    with pytest.raises(ArchitectureError, match=r"fit the network of torch.*:squeezenet1_1 .*is m"):
        opened(folder, "torchvision.models:squeezenet1_1")


@pytest.mark.parametrize(("arguments", "words"), [
    ({"weights": "DEFAULT"}, "takes no 'weights' here; it takes num_classes"),
    ({"num_classes": 10**9}, r"num_classes .* from 1 to 100,000"),
    ({"num_classes": "5"}, r"num_classes .* whole number"),
    ({"image_size": 64}, r"cannot be made with .*leave those out"),
])  # fmt: skip
def test_arguments_of_a_store_are_bounded(arguments, words):
    with pytest.raises(UnknownFamilyError, match=words):
        build(RESNET, arguments)


def test_torchvisions_own_files_are_known_by_name_without_any_network():
    assert list(weight_urls(RESNET)) == ["resnet18-f37072fd.pth"]
    best, other = weight_urls("torchvision.models:resnet50")
    assert list(weight_urls("torchvision.models:resnet50", "IMAGENET1K_V1")) == [other] != [best]
    with pytest.raises(UnknownFamilyError, match="it has IMAGENET1K_V2, IMAGENET1K_V1"):
        weight_urls("torchvision.models:resnet50", "IMAGENET1K_V3")
    assert not weight_urls("timm:resnet18")


@pytest.mark.slow
def test_names_of_an_older_torchvision_are_read(folder):
    write_images(folder / "images.npz", size=224)
    model = saved(folder, "vit_b_32")
    old = {
        name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): value
        for name, value in model.state_dict().items()
    }
    torch.save(old, folder / "net.pt")
    loaded = load(folder / "net.pt", arch="torchvision.models:vit_b_32")
    assert all(torch.equal(loaded.model.state_dict()[k], v) for k, v in model.state_dict().items())


def test_one_of_several_outputs_is_taken_by_its_name_and_stays_taken(folder):
    (folder / "mynets.py").write_text(
        SOURCE.replace('"features": x, "logits"', '"scores": x.mean((2, 3)), "classes"')
    )
    with pytest.raises(EngineError, match="--output scores"):
        opened(folder, "mynets:make", untrained=True)
    with pytest.raises(EngineError, match="no output 'names'; it gives 'scores'"):
        opened(folder, "mynets:make", untrained=True, output="names")
    engine, places, root = opened(folder, "mynets:make", untrained=True, output="classes")
    assert root.architecture.prepared == ("output:classes",)
    places = replace(places, factory=factory_here("mynets:make"))
    data = DataRef(root.data.digest, root.data.mean, root.data.std)
    job = Tune(NetworkRef(root.architecture, root.snapshot), data, CPU, TRAINING, seed=4)
    assert engine.run(JobRequest("t", job, places=places), SILENT).metrics


def test_a_network_of_timm_is_opened_by_its_name(folder):
    timm = pytest.importorskip("timm")
    model = timm.create_model("test_resnet", num_classes=3, in_chans=1)
    torch.save({"state_dict": model.state_dict()}, folder / "net.pt")
    write_images(folder / "images.npz", size=32, channels=1)
    _, _, root = opened(folder, "timm:test_resnet")
    assert root.architecture.arguments == {"num_classes": 3, "in_chans": 1}
    with pytest.raises(UnknownFamilyError, match="timm has no network 'hf-hub"):
        build("timm:hf-hub:somebody/net", {})


def test_a_folder_of_transformers_is_opened_by_its_configuration(folder):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        image_size=32, patch_size=8, num_labels=3,
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config)
    model.save_pretrained(folder / "vit")
    path = folder / "vit" / "model.safetensors"
    loaded = load(path, arch="transformers:vit")
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(loaded.model(images).logits, model.eval()(images).logits)
    assert loaded.architecture.arguments["hidden_size"] == 16
    again = build("transformers:vit", loaded.architecture.arguments)
    assert again.state_dict().keys() == loaded.model.state_dict().keys()
    state = safetensors.torch.load_file(path)
    del state["classifier.weight"]
    safetensors.torch.save_file(state, path)
    with pytest.raises(ArchitectureError, match=r"1 differences\): 'classifier\.weight'"):
        load(path, arch="transformers:vit")


@pytest.mark.parametrize("arguments", [
    {"auto_map": {"AutoModel": "x--y.Z"}}, {"backbone": "resnet18"}, {"_attn": "x"},
    {"hidden_size": 10**9}, {"hidden_act": "a/b"}, {"name": "x" * 200}, {"id2label": {}},
    {"depths": [1e300]},
])  # fmt: skip
def test_a_configuration_of_a_store_holds_plain_values_only(arguments):
    with pytest.raises(UnknownFamilyError, match="no number or short word"):
        check_config(arguments)


@pytest.mark.parametrize("loader", ["memory", "streaming"])
def test_images_of_several_sizes_are_told_the_one_that_the_networks_own_weights_see(folder, loader):
    images = image_folder(folder / "photos")
    pixels(1, size=20).save(images / "train/cat/big.png")
    with pytest.raises(DataError, match=r"one size.* of torchvision\.models:squeezenet1_1 see "
                       r"--image-size 224 --resize 256"):  # fmt: skip
        opened(folder, SMALL, untrained=True, reading=Reading(loader=loader),
               places={"data": str(images)})  # fmt: skip


@pytest.mark.slow  # every criterion, twice
def test_streamed_images_rank_the_structures_of_any_network_as_those_in_memory(folder, monkeypatch):
    monkeypatch.setenv(WORKERS_VARIABLE, "0")
    places = Places(data=str(image_folder(folder / "photos", each=10)))
    found = []
    for loader in ("memory", "streaming"):
        engine, reading = Engine(folder / loader), Reading(image_size=32, loader=loader)
        job = OpenRoot(FILE, SMALL, device="cpu", reading=reading, untrained=True)
        root = engine.run(JobRequest("o", job, places=places), SILENT)
        ref = DataRef(root.data.digest, (0.5,) * 3, (0.25,) * 3, reading)
        network = NetworkRef(root.architecture, root.snapshot)
        for criterion in ("kl-fast", "kl-fisher", "l1"):
            scoring = ScoringSettings(criterion=criterion, criterion_samples=2)
            asked = Propose(network, ref, CPU, scoring, 0, structure=root.structure)
            proposed = engine.run(JobRequest("p", asked, places=places), SILENT)
            found.append((proposed.scores, proposed.sample_ids))
    assert found[:3] == found[3:]
