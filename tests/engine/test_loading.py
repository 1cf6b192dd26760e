"""Checkpoints that can be read: what comes out is the network that went in."""

from __future__ import annotations

import random
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import network
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.checkpoints import (
    ArchitectureError,
    LoadedNetwork,
    load,
    preset_normalisations,
)
from engine.checkpoints import write as checkpoint
from engine.contracts.edits import Edit
from engine.contracts.errors import UnknownFamilyError
from engine.contracts.networks import Architecture, DataDescription
from engine.models.cifar_resnet import arguments_of_depth
from engine.pruning.editing import apply

torch.set_num_threads(1)

REAL_FILES = Path(__file__).parents[3] / "shared" / "data" / "checkpoints"
TINY: dict[str, Any] = {
    "stem_width": 4,
    "stage_widths": [4, 6],
    "inner_widths": [[3, 5], [4, 2]],
    "shortcut": "B",
    "conv_bias": False,
    "num_classes": 3,
    "in_channels": 3,
}


def save(content: Any, tmp_path: Path, name: str = "net.pt", **options: Any) -> Path:
    path = tmp_path / name
    torch.save(content, path, **options)
    return path


def assert_same(loaded: LoadedNetwork, model: nn.Module, arguments: dict[str, Any]) -> None:
    assert loaded.architecture.arguments == arguments
    images_BCHW = torch.randn(
        (2, arguments["in_channels"], 8, 8), generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        assert torch.equal(loaded.model(images_BCHW), model(images_BCHW))


# -- the naming styles of public repositories ------------------------------------------------

Renaming = list[tuple[str, str | Callable[[re.Match[str]], str]]]


def _stage_block(template: str, first_stage: int, first_block: int) -> tuple[str, Any]:
    def rename(match: re.Match[str]) -> str:
        return template.format(int(match[1]) - 1 + first_stage, int(match[2]) + first_block)

    return r"^layer(\d+)\.(\d+)\.", rename


STYLES: dict[str, Renaming] = {
    "ours": [],
    "linear": [(r"^fc", "linear")],
    "downsample": [(r"shortcut", "downsample")],
    "conv_a": [
        (r"^conv1\.", "conv_1_3x3."), (r"^bn1\.", "bn_1."), (r"^fc", "classifier"),
        (r"(\d\.)(conv|bn)1", r"\1\2_a"), (r"(\d\.)(conv|bn)2", r"\1\2_b"),
        (r"shortcut", "downsample"), _stage_block("stage_{}.{}.", 1, 0),
    ],
    "stem and stages": [
        (r"^conv1\.", "stem.0."), (r"^bn1\.", "stem.1."), (r"^fc", "head"),
        _stage_block("stages.{}.{}.", 0, 0),
    ],
    "stage and block": [
        (r"^conv1\.", "conv."), (r"^bn1\.", "bn."), (r"shortcut\.0", "shortcut.conv"),
        (r"shortcut\.1", "shortcut.bn"), _stage_block("stage{}.block{}.", 1, 1),
    ],
    "features and units": [
        (r"^conv1\.", "features.init_block.conv."), (r"^bn1\.", "features.init_block.bn."),
        (r"^fc", "output"), (r"(\d\.)conv(\d)", r"\1body.conv\2.conv"),
        (r"(\d\.)bn(\d)", r"\1body.conv\2.bn"), (r"shortcut\.0", "identity_conv.conv"),
        (r"shortcut\.1", "identity_conv.bn"), _stage_block("features.stage{}.unit{}.", 1, 1),
    ],
    "conv2_x": [
        (r"^conv1\.", "conv1.0."), (r"^bn1\.", "conv1.1."),
        (r"(\d\.)conv1", r"\1residual_function.0"), (r"(\d\.)bn1", r"\1residual_function.1"),
        (r"(\d\.)conv2", r"\1residual_function.3"), (r"(\d\.)bn2", r"\1residual_function.4"),
        _stage_block("conv{}_x.{}.", 2, 0),
    ],
}  # fmt: skip
PREFIXES = ("", "module.", "model.", "_orig_mod.", "module._orig_mod.", "backbone.")
WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {0: 1}}},
    "model": lambda state: {"model": state},
    "net": lambda state: {"net": state, "acc": 91.5},
    "model_state_dict": lambda state: {"model_state_dict": state},
    "nested": lambda state: {"checkpoint": {"state_dict": state}},
}


def in_style(state: dict[str, Tensor], style: str, prefix: str = "") -> dict[str, Tensor]:
    renamed = {}
    for key, tensor in state.items():
        for pattern, replacement in STYLES[style]:
            key = re.sub(pattern, replacement, key)
        renamed[prefix + key] = tensor
    assert len(renamed) == len(state)
    return renamed


@st.composite
def architectures(draw: st.DrawFn) -> dict[str, Any]:
    width = st.integers(1, 5)
    stage_widths = draw(st.lists(width, min_size=2, max_size=3))
    return {
        "stem_width": draw(width),
        "stage_widths": stage_widths,
        "inner_widths": [draw(st.lists(width, min_size=1, max_size=3)) for _ in stage_widths],
        "shortcut": draw(st.sampled_from(("A", "B", "conv"))),
        "conv_bias": draw(st.booleans()),
        "num_classes": draw(st.integers(1, 4)),
        "in_channels": draw(st.sampled_from((1, 3))),
    }


@settings(max_examples=100, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    arguments=architectures(),
    style=st.sampled_from(sorted(STYLES)),
    prefix=st.sampled_from(PREFIXES),
    wrapper=st.sampled_from(sorted(WRAPPERS)),
    counters=st.booleans(),
    legacy=st.booleans(),
)
def test_any_network_in_any_naming_comes_back_the_same(
    tmp_path: Path, arguments: dict[str, Any], style: str, prefix: str, wrapper: str,
    counters: bool, legacy: bool,
) -> None:  # fmt: skip
    model = network(arguments)
    state = in_style(model.state_dict(), style, prefix)
    if not counters:
        state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    path = save(WRAPPERS[wrapper](state), tmp_path, _use_new_zipfile_serialization=not legacy)
    assert_same(load(path), model, arguments)


@pytest.mark.parametrize("style", sorted(STYLES))
@pytest.mark.parametrize("shortcut", ["A", "B", "conv"])
def test_every_naming_with_every_shortcut(tmp_path: Path, style: str, shortcut: str) -> None:
    arguments = {**TINY, "shortcut": shortcut}
    model = network(arguments)
    path = save({"state_dict": in_style(model.state_dict(), style, "module.")}, tmp_path)
    loaded = load(path)
    assert_same(loaded, model, arguments)
    assert any("'module.'" in note for note in loaded.notes)
    assert any("'state_dict'" in note for note in loaded.notes)


def test_a_sequential_shortcut_without_batch_norm(tmp_path: Path) -> None:
    model = network({**TINY, "shortcut": "conv"})
    state = {k.replace("shortcut", "shortcut.0"): v for k, v in model.state_dict().items()}
    assert_same(load(save(state, tmp_path)), model, {**TINY, "shortcut": "conv"})


def test_safetensors(tmp_path: Path) -> None:
    model = network(TINY)
    save_file(model.state_dict(), tmp_path / "net.safetensors")
    assert_same(load(tmp_path / "net.safetensors"), model, TINY)


def test_gaps_in_block_numbers_are_closed_and_said(tmp_path: Path) -> None:
    arguments = {**TINY, "inner_widths": [[3, 4, 5, 6], [2, 4, 2]]}
    pruned = apply(Edit("layer", blocks=("layer1.1", "layer1.2", "layer2.1")), network(arguments))
    loaded = load(save(pruned.state_dict(), tmp_path))
    assert_same(loaded, pruned, {**TINY, "inner_widths": [[3, 6], [2, 2]]})
    assert any("stage 1 has no block 1, 2" in note for note in loaded.notes)
    assert any("stage 2 has no block 1" in note for note in loaded.notes)


# -- what stands beside the weights ----------------------------------------------------------


def test_numpy_numbers_beside_the_weights(tmp_path: Path) -> None:
    beside = {
        "best_prec1": np.float64(91.25), "epoch": np.int64(7), "lr": np.float32(0.5),
        "loss": torch.tensor(0.25), "diverged": float("nan"), "name": "x", "flag": True,
    }  # fmt: skip
    before = set(torch.serialization.get_safe_globals())
    loaded = load(save({"state_dict": network(TINY).state_dict(), **beside}, tmp_path))
    assert loaded.metrics == {"best_prec1": 91.25, "epoch": 7, "lr": 0.5, "loss": 0.25}
    assert set(torch.serialization.get_safe_globals()) == before


def test_averaged_twins_are_chosen_and_said(tmp_path: Path) -> None:
    plain, averaged = network(TINY, 0), network(TINY, 1)
    content = {"state_dict": plain.state_dict(), "state_dict_ema": averaged.state_dict()}
    loaded = load(save(content, tmp_path))
    assert_same(loaded, averaged, TINY)
    assert any("'state_dict_ema'" in n and "'state_dict'" in n for n in loaded.notes)


def test_averaged_twins_in_one_state_dict(tmp_path: Path) -> None:
    plain, averaged = network(TINY, 0), network(TINY, 1)
    both = {f"model.{k}": v for k, v in plain.state_dict().items()}
    both |= {f"model_ema.{k}": v for k, v in averaged.state_dict().items()}
    loaded = load(save(both, tmp_path))
    assert_same(loaded, averaged, TINY)
    assert any("not used" in note for note in loaded.notes)


def test_swa_utils(tmp_path: Path) -> None:
    model = network(TINY)
    state = torch.optim.swa_utils.AveragedModel(model).state_dict()
    assert_same(load(save(state, tmp_path)), model, TINY)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    model = network(TINY).to(dtype)
    loaded = load(save(model.state_dict(), tmp_path))
    assert all(p.dtype is torch.float32 for p in loaded.model.parameters())
    assert torch.equal(loaded.model.fc.weight, model.fc.weight.float())
    assert any(str(dtype).removeprefix("torch.") in note for note in loaded.notes)


def test_tied_views_and_parameters_are_read(tmp_path: Path) -> None:
    model = network(TINY)
    state = {k: nn.Parameter(v, v.is_floating_point()) if v.is_floating_point() else v
             for k, v in model.state_dict().items()}  # fmt: skip
    wide = torch.zeros(10, 6)
    wide[2:5] = model.fc.weight.detach()
    state["fc.weight"] = wide[2:5]
    state["conv1.weight"] = model.conv1.weight.detach().to(memory_format=torch.channels_last)
    assert_same(load(save(OrderedDict(state), tmp_path)), model, TINY)


# -- our own format --------------------------------------------------------------------------

DATA = DataDescription(
    name="toy", mean=(0.5,) * 3, std=(0.25,) * 3, classes=("a", "[/b]", "\x1b[31m")
)


@pytest.mark.parametrize("edits", [
    [],
    [Edit("layer", blocks=("layer1.1",)),
     Edit("filter", units=(("layer1.0.conv1", (1,)), ("layer2.0.conv1", (0, 3))))],
])  # fmt: skip
def test_own_format_round_trip(tmp_path: Path, edits: list[Edit]) -> None:
    model: Any = network(TINY)
    for edit in edits:
        model = apply(edit, model)
    architecture = Architecture("cifar_resnet", TINY, tuple(edits))
    metrics = {"test_accuracy": 91.5, "recipe": {"epochs": 3}}
    checkpoint.save(tmp_path / "own.pt", architecture, model.state_dict(), DATA, metrics)
    loaded = load(tmp_path / "own.pt")
    assert loaded.architecture == architecture
    assert loaded.data == DATA
    assert loaded.metrics == {"test_accuracy": 91.5}
    assert loaded.notes == ()
    images_BCHW = torch.ones(1, 3, 8, 8)
    assert torch.equal(loaded.model(images_BCHW), model(images_BCHW))


# -- arch ------------------------------------------------------------------------------------


def tiny_network() -> nn.Module:
    return network(TINY, seed=9)


def test_a_name_is_checked(tmp_path: Path) -> None:
    arguments = arguments_of_depth(8, width=16, shortcut="B", num_classes=4)
    path = save(network(arguments).state_dict(), tmp_path)
    assert_same(load(path, arch="resnet8"), network(arguments), arguments)
    with pytest.raises(ArchitectureError, match=r"do not fit resnet14 .*'layer1.1.conv1.weight' is"
                       r" missing.* and \d+ more; leave --arch out"):  # fmt: skip
        load(path, arch="resnet14")
    for unknown in ("resnet57", "vgg17", "nowhere:net", "math:pi", "math:nan", "math:sqrt"):
        with pytest.raises(UnknownFamilyError):
            load(path, arch=unknown)


def test_a_factory_is_loaded_strictly(tmp_path: Path) -> None:
    reference = f"{__name__}:tiny_network"
    model = network(TINY, seed=3)
    state = {f"module.{k}": v for k, v in model.state_dict().items()}
    loaded = load(save(state, tmp_path), arch=reference)
    assert loaded.architecture == Architecture(reference)
    assert torch.equal(loaded.model.fc.weight, model.fc.weight)
    wrong = {**model.state_dict(), "fc.weight": torch.zeros(7, 6), "more": torch.zeros(1)}
    del wrong["fc.bias"]
    with pytest.raises(ArchitectureError) as caught:
        load(save(wrong, tmp_path), arch=reference)
    for words in ("3 differences", "'fc.weight' is 7×6 where the network has 3×6",
                  "'fc.bias' is missing", "'more' has no place"):  # fmt: skip
        assert words in str(caught.value)


# -- the rest --------------------------------------------------------------------------------


def test_random_states_are_left_alone(tmp_path: Path) -> None:
    path = save(network(TINY).state_dict(), tmp_path)
    torch.manual_seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    load(path)
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_presets_are_usable() -> None:
    presets = preset_normalisations()
    assert {"imagenet", "cifar10", "cifar100", "half", "none", "mnist"} <= set(presets)
    for mean, std in presets.values():
        assert len(mean) == len(std)
        assert len(mean) in (1, 3)
        assert min(std) > 0
    presets.clear()
    assert preset_normalisations()


@pytest.mark.parametrize(
    ("name", "file", "num_params", "best"),
    [
        ("resnet20", "resnet20-12fca82f.th", 269_722, 91.78),
        ("resnet32", "resnet32-d509ac18.th", 464_154, 92.78),
    ],
)
def test_real_files(name: str, file: str, num_params: int, best: float) -> None:
    if not (REAL_FILES / file).exists():
        pytest.skip(f"{REAL_FILES / file} is not here")
    loaded = load(REAL_FILES / file, arch=name)
    assert sum(p.numel() for p in loaded.model.parameters()) == num_params
    assert loaded.architecture.arguments["shortcut"] == "A"
    assert loaded.digest.startswith(file.split("-")[1].removesuffix(".th"))
    assert loaded.metrics["best_prec1"] == pytest.approx(best, abs=0.01)
    assert not loaded.model.training
