"""Checkpoints of other families for small images are recognised by public names and shapes."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import public_layouts as public
import pytest
import torch
from networks import CPU, randomise_statistics
from teachers import make_teacher, write_lesson
from torch import Tensor, nn

from engine.checkpoints import ArchitectureError, load
from engine.checkpoints import write as checkpoint
from engine.checkpoints.build import rebuilt
from engine.contracts.errors import CheckpointError, UnknownFamilyError
from engine.contracts.jobs import JobRequest, Opened, OpenRoot, Places, Propose, Recover, Tune
from engine.contracts.networks import Architecture, DataDescription, DataRef, FileRef, NetworkRef
from engine.contracts.setting_sections import ScoringSettings, SimilaritySettings, TrainingSettings
from engine.contracts.short_names import SHORT_NAMES
from engine.models import architecture_of_name, build
from engine.models.families import RECOGNISED
from engine.runtime.progress import SILENT
from engine.worker.engine import Engine

torch.set_num_threads(1)

VGG, PREACT, DENSE = "cifar_vgg", "cifar_preact_resnet", "cifar_densenet"
MOBILE, BOTTLENECK = "cifar_mobilenet_v2", "cifar_bottleneck_resnet"
# The layout in which each computes what the public network does.
USUAL = "the usual layout"
LAYOUTS: dict[str, tuple[str, Any, str]] = {
    "vgg, kuangliu": (VGG, public.vgg_kuangliu, USUAL),
    "vgg without norms": (VGG, lambda: public.vgg_kuangliu(False), USUAL),
    "vgg, chenyaofo": (VGG, public.vgg_chenyaofo, USUAL),
    "vgg, dropout first": (VGG, public.vgg_dropout_first, USUAL),
    "vgg, four pools": (VGG, public.vgg_of_four_pools, "no max-pool at its end"),
    "preact, kuangliu": (PREACT, public.preact_kuangliu, USUAL),
    "preact, bottlenecks": (PREACT, lambda: public.preact_kuangliu(True), USUAL),
    "wide, xternalz": (PREACT, public.wide_xternalz, USUAL),
    "wide, meliketoy": (PREACT, public.wide_meliketoy, USUAL),
    "densenet, kuangliu": (DENSE, lambda: public.densenet("kuangliu"), "the newest channels"),
    "densenet, andreasveit": (DENSE, lambda: public.densenet("andreasveit"), USUAL),
    "densenet, basic": (DENSE, lambda: public.densenet("andreasveit", 0), USUAL),
    "mobilenet, chenyaofo": (MOBILE, public.mobilenet_chenyaofo, USUAL),
    "mobilenet, strides": (MOBILE, lambda: public.mobilenet_chenyaofo(2, 2), "the strides for Im"),
    "mobilenet, kuangliu": (MOBILE, public.mobilenet_kuangliu, USUAL),
    "resnet50": (BOTTLENECK, public.resnet50_downsample, USUAL),
}


def made(layout: str) -> tuple[nn.Module, dict[str, Tensor]]:
    torch.manual_seed(3)
    model = randomise_statistics(LAYOUTS[layout][1](), 3)
    return model, model.state_dict()


def read(folder: Path, state: dict[str, Any], **options: Any):
    torch.save(state, folder / "net.pt")
    return load(folder / "net.pt", **options)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_public_layout_is_read_and_computes_the_same(layout, tmp_path):
    model, state = made(layout)
    loaded = read(tmp_path, {"net": {f"module.{k}": v for k, v in state.items()}, "acc": 91.0})
    family, _, words = LAYOUTS[layout]
    assert loaded.architecture.factory == family and loaded.inferred
    variants = RECOGNISED[family].variants(loaded.architecture.arguments)
    assert variants[0].describe() == USUAL and len(set(variants)) == len(variants)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    same = []
    for variant in variants:
        arguments = {**loaded.architecture.arguments, **variant.arguments()}
        network = rebuilt(family, arguments).eval()
        network.load_state_dict(loaded.model.state_dict())
        with torch.no_grad():
            if torch.allclose(network(images), model(images), atol=1e-5):
                same.append(variant.describe())
    assert same and same[0].startswith(words)


@pytest.mark.parametrize("style", ["kuangliu", "weiaicunzai"])
@pytest.mark.parametrize("make", [public.resnet18_plain, public.resnet50_downsample])
def test_resnets_of_both_kinds_of_blocks_are_read_in_any_naming(style, make, tmp_path):
    torch.manual_seed(3)
    model = randomise_statistics(make(), 3)
    loaded = read(tmp_path, public.renamed_resnet(model, style))
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(images), model(images), rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------ what tensors do not show


def lesson(folder: Path, layout: str, classifier: str) -> str:
    model, _ = made(layout)
    with torch.no_grad():
        make_teacher(model, model.get_submodule(classifier))
    torch.save(model.state_dict(), folder / "net.pt")
    return write_lesson(folder, model, num_train=300, size=32)


def opened(folder: Path, data: str, arch: str | None = None) -> tuple[Engine, Places, Opened]:
    engine = Engine(folder / "spool")
    places = Places(data=data, checkpoint=str(folder / "net.pt"))
    job = OpenRoot(FileRef("net.pt", "0" * 64), arch=arch, device="cpu")
    return engine, places, engine.run(JobRequest("o", job, places=places), SILENT)


@pytest.mark.parametrize(("layout", "classifier", "changes"), [
    pytest.param("densenet, kuangliu", "linear", {"newest_first": True}, marks=pytest.mark.slow),
    ("vgg, four pools", "classifier", {"last_pool": "mean"}),
    pytest.param("mobilenet, strides", "classifier.1", {"strides": [2, 1, 2, 2, 2, 1, 2, 1]},
                 marks=pytest.mark.slow),
    pytest.param("preact, kuangliu", "linear", {}, marks=pytest.mark.slow),
])  # fmt: skip
def test_what_tensors_do_not_show_is_found_on_training_images(
    layout, classifier, changes, tmp_path
):
    _, _, root = opened(tmp_path, lesson(tmp_path, layout, classifier))
    arguments = root.architecture.arguments
    assert {name: arguments.get(name) for name in changes} == changes
    assert root.metrics["test_accuracy"] > 98
    told = [note for note in root.notes if "do not show its layout" in note]
    assert bool(told) == bool(changes)
    assert not any(doubt.asks for doubt in root.doubts)


# ------------------------------------------------------------ a tree of it


@pytest.mark.parametrize(("layout", "classifier", "kinds"), [
    ("vgg, kuangliu", "classifier", {"filter"}),
    pytest.param("preact, kuangliu", "linear", {"layer", "filter"}, marks=pytest.mark.slow),
    pytest.param("wide, xternalz", "fc", {"layer", "filter"}, marks=pytest.mark.slow),
    pytest.param("densenet, andreasveit", "fc", {"filter"}, marks=pytest.mark.slow),
    pytest.param("mobilenet, kuangliu", "linear", {"layer", "filter"}, marks=pytest.mark.slow),
    pytest.param("resnet50", "fc", {"layer", "filter"}, marks=pytest.mark.slow),
])  # fmt: skip
def test_a_tree_is_grown_from_it(layout, classifier, kinds, tmp_path):
    engine, places, root = opened(tmp_path, lesson(tmp_path, layout, classifier))
    data = DataRef(root.data.digest, root.data.mean, root.data.std)
    training = TrainingSettings(recovery_epochs=1, tune_epochs=1, batch_size=32, learning_rate=1e-4)

    def do(job):
        return engine.run(JobRequest("j", job, places=places), SILENT)

    parent = NetworkRef(root.architecture, root.snapshot)
    scoring = ScoringSettings(criterion="l1")
    proposed = do(Propose(parent, data, CPU, scoring, 1, structure=root.structure))
    assert {edit.structure for edit in proposed.edits} == kinds
    for edit in proposed.edits:
        recovered = do(
            Recover(parent, edit, data, CPU, training, SimilaritySettings(num_resamples=2), 2, 3)
        )
        assert recovered.metrics["macs"] < root.metrics["macs"]
        child = replace(root.architecture, edits=(edit,))
    tuned = do(Tune(NetworkRef(child, recovered.snapshot), data, CPU, training, seed=4))
    assert 0 <= tuned.metrics["test_accuracy"] <= 100


# ------------------------------------------------------------ near misses


def without(state: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key not in names}


@pytest.mark.parametrize(("layout", "change", "words"), [
    ("vgg, kuangliu", lambda s: without(s, "classifier.weight", "classifier.bias"),
     "looks like a VGG, but it has no classifier"),
    ("vgg, kuangliu", lambda s: {**s, "classifier.weight": torch.zeros(3, 9)},
     "VGG, but its classifier takes 9 numbers of maps of 8 channels; say what makes it"),
    ("vgg, kuangliu", lambda s: {**s, "classifier.weight": torch.zeros(3, 8 * 49)},
     "7×7 pixels: it is one for ImageNet; say so with --arch torchvision.models:vgg11_bn"),
    ("vgg, kuangliu", lambda s: {**s, "features.0.weight": torch.zeros(6, 3, 5, 5)},
     "'features.0.weight' is 6×3×5×5 where the network has 6×3×3×3"),
    ("vgg, kuangliu", lambda s: {**s, "odd.weight": torch.zeros(1)},
     "VGG, but has no place for 'odd.weight'"),
    ("wide, xternalz", lambda s: {**s, "block9.layer.0.conv1.weight": torch.zeros(1, 1, 3, 3)},
     "a pre-activation ResNet, but of its stages 1, 2, 3, 9 are there"),
    ("densenet, andreasveit", lambda s: without(s, "block1.layer.0.bn1.weight"),
     r"a DenseNet, but as a DenseNet of 2\+2\+2 layers.*'dense1.0.bn1.weight' is missing"),
    ("mobilenet, kuangliu",
     lambda s: {k: v for k, v in s.items() if not k.startswith("layers.16.")},
     "a MobileNetV2, but it has 16 blocks, not 17"),
    ("mobilenet, chenyaofo", lambda s: {**s, "classifier.1.weight": torch.zeros(1000, 1280)},
     "classes of ImageNet; say so with --arch torchvision.models:mobilenet_v2"),
    ("resnet50", lambda s: {**s, "conv1.weight": torch.zeros(64, 3, 7, 7)},
     "bottlenecks, but its first convolution is 7×7.*torchvision.models:NAME"),
    ("resnet50", lambda s: {k: v for k, v in s.items() if ".bn" not in k and "bn1" not in k
                            and "downsample.1" not in k}, "batch norms were folded"),
    ("preact, kuangliu", lambda s: {**s, "layer1.0.shortcut.1.weight": torch.zeros(6)},
     "'layer1.0.shortcut.1.weight' has no place in the network"),
    ("preact, kuangliu", lambda s: {**s, "linear.weight_orig": torch.zeros(1)}, "prune.remove"),
    ("densenet, kuangliu", lambda s: {**s, "fc.weight": s["linear.weight"]},
     "two of its names mean the same tensor"),
])  # fmt: skip
def test_near_misses_are_refused_with_what_is_wrong(layout, change, words, tmp_path):
    _, state = made(layout)
    with pytest.raises(ArchitectureError, match=words):
        read(tmp_path, change(state))


def test_a_name_is_checked_against_the_file(tmp_path):
    _, state = made("vgg, kuangliu")
    with pytest.raises(ArchitectureError, match=r"do not fit vgg16-bn .*leave --arch out"):
        read(tmp_path, state, arch="vgg16-bn")
    with pytest.raises(ArchitectureError, match="do not fit resnet20"):
        read(tmp_path, state, arch="resnet20")
    with pytest.raises(ArchitectureError, match="it holds a 'cifar_vgg', not 'cifar_densenet'"):
        read(tmp_path, state, arch="cifar_densenet")
    with pytest.raises(UnknownFamilyError, match="no network or file is called 'vgg17'"):
        read(tmp_path, state, arch="vgg17")
    named = architecture_of_name("mobilenetv2", num_classes=7)
    model = build(named.factory, named.arguments)
    assert read(tmp_path, model.state_dict(), arch="mobilenetv2").architecture.factory == MOBILE


# ------------------------------------------------------------ names and arguments

# As the papers and the public code tell them, for ten classes.
PARAMS = {
    "resnet18-cifar": 11_173_962, "resnet50-cifar": 23_520_842, "preact-resnet18": 11_171_146,
    "wide-resnet16-4": 2_748_890, "wrn28-10": 36_479_194, "vgg16-bn": 14_728_266,
    "vgg11": 9_225_610, "densenet40-12": 1_059_298, "mobilenetv2": 2_236_682,
}  # fmt: skip


@pytest.mark.parametrize("name", PARAMS)
def test_short_names_make_networks_of_the_published_sizes(name):
    architecture = architecture_of_name(name)
    with torch.device("meta"):
        model = rebuilt(architecture.factory, architecture.arguments)
    assert sum(p.numel() for p in model.parameters()) == PARAMS[name]


def test_every_kind_of_short_name_is_built():
    for kind in SHORT_NAMES.values():
        assert architecture_of_name(kind.example, num_classes=4).arguments["num_classes"] == 4


def test_the_docs_name_every_family_and_every_kind_of_name():
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
    assert all(f"| `{family}`: " in page for family in RECOGNISED)
    examples = {kind.example for kind in SHORT_NAMES.values()} - {"resnet56"}
    assert all(f"`{example}`" in page for example in examples)


def arguments_of(layout: str, folder: Path) -> tuple[str, dict[str, Any]]:
    architecture = read(folder, made(layout)[1]).architecture
    return architecture.factory, dict(architecture.arguments)


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("vgg, kuangliu", {"widths": [[10**9]]}), ("vgg, kuangliu", {"widths": [[8]] * 99}),
    ("vgg, kuangliu", {"hidden": [1] * 99}), ("vgg, kuangliu", {"last_pool": "x"}),
    ("vgg, kuangliu", {"map_size": 10**6}), ("vgg, kuangliu", {"num_classes": -1}),
    ("vgg, kuangliu", {"widths": 3}), ("vgg, kuangliu", {"other": 1}),
    ("preact, kuangliu", {"blocks": [10**9, 1, 1]}), ("preact, kuangliu", {"blocks": [True] * 3}),
    ("preact, kuangliu", {"shortcut_of": []}), ("preact, kuangliu", {"stem_width": 2.0}),
    ("densenet, basic", {"growth": 10**9}), ("densenet, basic", {"blocks": [500, 500]}),
    ("densenet, basic", {"inner": -1}), ("densenet, basic", {"transitions": []}),
    ("mobilenet, kuangliu", {"strides": [0] * 8}), ("mobilenet, kuangliu", {"strides": [1] * 99}),
    ("mobilenet, kuangliu", {"inner_widths": [2**40] * 17}),
    ("resnet50", {"blocks": [200, 200, 200, 1]}), ("resnet50", {"inner_widths": "abcd"}),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "changes"), HOSTILE)
def test_arguments_of_a_file_are_bounded(layout, changes, tmp_path):
    factory, arguments = arguments_of(layout, tmp_path)
    hostile = Architecture(factory, {**arguments, **changes})
    checkpoint.save(tmp_path / "own.pt", hostile, made(layout)[1], DataDescription(), {})
    with pytest.raises(CheckpointError, match=r"cannot be built|at most"):
        load(tmp_path / "own.pt")


@pytest.mark.parametrize("layout", ["vgg, kuangliu", "wide, meliketoy", "mobilenet, kuangliu"])
def test_it_goes_through_our_own_format(layout, tmp_path):
    loaded = read(tmp_path, made(layout)[1])
    state = loaded.model.state_dict()
    checkpoint.save(tmp_path / "own.pt", loaded.architecture, state, DataDescription(), {})
    again = load(tmp_path / "own.pt")
    assert again.architecture == loaded.architecture and not again.inferred
    assert all(torch.equal(again.model.state_dict()[k], v) for k, v in state.items())


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_that_somebody_changed_are_read_or_refused(layout, tmp_path):
    state = {key: value[..., :1].clone() if value.dim() > 3 else value
             for key, value in made(layout)[1].items()}  # fmt: skip
    rng = random.Random(layout)
    for _ in range(12):
        changed = dict(state) if rng.random() < 0.5 else dict(made(layout)[1])
        for _ in range(rng.choice([1, 2, 5])):
            name = rng.choice(list(changed))
            shape = rng.choice([(), (0,), (1,), (3, 0), (2, 2), (1, 1, 1), (4, 1, 3, 3), (1,) * 6])
            what = rng.choice(["shape", "gone", "number", "twin"])
            if what == "shape":
                changed[name] = torch.zeros(shape)
            elif what == "gone":
                del changed[name]
            else:
                digit = rng.choice(["0", "1", "7", "99", "12345", "-1", "x"])
                renamed = re.sub(r"\d+", digit, name, count=1)
                value = changed[name] if what == "twin" else changed.pop(name)
                changed[renamed] = value
        try:
            read(tmp_path, changed)
        except CheckpointError as error:
            assert "\n" not in str(error) and len(str(error)) < 1500
