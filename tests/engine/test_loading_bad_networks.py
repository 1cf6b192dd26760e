"""Sound tensors that make no network of our family: refused, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_loading_bad_files import TINY, refused, saved, tiny_state
from torch import Tensor

from engine.checkpoints import ArchitectureError, UnsuitableValueError
from engine.contracts.errors import CheckpointError

torch.set_num_threads(1)

# -- architectures ---------------------------------------------------------------------------


def changed(**tensors: Tensor | None) -> dict[str, Tensor]:
    """The tiny state dict, with tensors replaced, added or (None) taken out."""
    state = {**tiny_state(), **{k.replace("__", "."): v for k, v in tensors.items()}}
    return {key: value for key, value in state.items() if value is not None}


@pytest.mark.parametrize(("state", "words"), [
    (changed(layer1__0__conv3__weight=torch.zeros(4, 4, 1, 1)),
     r"looks like a ResNet of bottlenecks, but layer1\.0\.conv3.*has no place|is missing.*"
     "say what makes it with --arch torchvision.models:NAME"),
    (changed(conv1__weight=torch.zeros(4, 3, 7, 7)), 
     "7×7: this is a ResNet for ImageNet.*say what makes it with --arch torchvision"),
    (changed(bn1__weight=None, bn1__bias=None, bn1__running_mean=None, bn1__running_var=None,
             bn1__num_batches_tracked=None), "no batch norm follows"),
    (changed(layer1__0__shortcut__0__weight=torch.zeros(4, 4, 1, 1)),
     r"layer1\.0 has a convolution in its shortcut though it does not change the shape"),
    (changed(layer2__1__shortcut__0__weight=torch.zeros(6, 6, 1, 1)), r"layer2\.1 has a conv"),
    (changed(layer1__0__conv1__bias=torch.zeros(3)), "1 of its 10 convolutions have a bias"),
    (changed(layer1__0__conv2__weight=torch.zeros(4, 1, 3, 3)),
     "'layer1.0.conv2.weight' is 4×1×3×3 where the network has 4×3×3×3"),
    (changed(fc__bias=None), "'fc.bias' is missing"),
    (changed(fc__weight=None), "no first convolution or no classifier"),
    (changed(layer2__0__bn1__running_mean=None), "'layer2.0.bn1.running_mean' is missing"),
    (changed(layer1__1__conv2__weight=torch.zeros(9, 5, 3, 3)), "9×5×3×3"),
    (changed(extra__weight=torch.zeros(1)), "ResNet of another kind: no place for 'extra.weight'"),
    (changed(blocks__0__attn__qkv__weight=torch.zeros(1)), "a transformer"),
    (changed(layer1__0__conv1__weight_orig=torch.zeros(1),
             layer1__0__conv1__weight_mask=torch.zeros(1)), "prune.remove"),
    (changed(layer1__0__conv1__module__weight=torch.zeros(1),
             layer1__0__conv1__weight_mask=torch.zeros(1)), "NNI.*unwrap_model.*speedup_model"),
    (changed(layer1__0__conv1__pre_ops__0__op___binary_mask=torch.zeros(1)), r"nncf\.strip"),
    ({key.replace("weight", "weight"): value for key, value in changed(
        conv1__bias=torch.zeros(4), layer1__0__conv1__bias=torch.zeros(3)).items()
      if "bn" not in key and "shortcut.1" not in key}, "folded.*Save the state_dict before"),
    (changed(layer2__0__bn1__weight=torch.zeros(4),
             layer2__0__conv1__weight=torch.zeros(5, 4, 3, 3)),
     r"looks like a pre-activation ResNet, but as a .*'layer1\.0\.bn1\.weight' is 3 where"),
    (changed(layer9__0__conv1__weight=torch.zeros(4, 4, 3, 3)), "only 1, 2, 9 are there"),
    ({"features.0.weight": torch.zeros(4, 3, 3, 3)}, "looks like a VGG, but it has no classifier"),
    ({"stem.7.weight": torch.zeros(4, 3, 3, 3)}, "not a ResNet by its names"),
    ({"conv1.weight": torch.zeros(()), "fc.weight": torch.zeros(2, 2), "bn1.bias": torch.zeros(1),
      "layer1.0.conv1.weight": torch.zeros(1)}, "layer1.0.conv2 is missing|has the shape"),
])  # fmt: skip
def test_networks_that_the_family_does_not_have(
    tmp_path: Path, state: dict[str, Tensor], words: str
) -> None:
    refused(tmp_path, saved({"state_dict": state}), ArchitectureError, words)


def test_one_tensor_under_two_names(tmp_path: Path) -> None:
    state = changed(linear__weight=torch.zeros(3, 6))
    refused(tmp_path, saved(state), ArchitectureError, "mean the same tensor")
    twice = {f"module.{k}": v for k, v in tiny_state().items()} | {"fc.weight": torch.zeros(3, 6)}
    refused(tmp_path, saved(twice), UnsuitableValueError, "two tensors would be named 'fc.weight'")


# -- our own format --------------------------------------------------------------------------


def own(**changes: Any) -> bytes:
    architecture = {"factory": "cifar_resnet", "arguments": TINY, "edits": []}
    return saved({"format": "pe-explore/1", "architecture": architecture,
                  "state_dict": tiny_state(), "data": {}, "metrics": {}, **changes})  # fmt: skip


def architecture(**changes: Any) -> dict[str, Any]:
    return {"factory": "cifar_resnet", "arguments": TINY, "edits": [], **changes}


@pytest.mark.parametrize(("changes", "words"), [
    ({"format": "pe-explore/2"}, "newer pe-explore.*upgrade"),
    ({"format": "pe-explore/0"}, "not known"),
    ({"architecture": None}, "does not tell its architecture"),
    ({"architecture": architecture(arguments=[1])}, "'arguments', which must be a dict"),
    ({"architecture": architecture(arguments={})}, "cannot be built"),
    ({"architecture": architecture(arguments={**TINY, "stem_width": -4})}, "cannot be built"),
    ({"architecture": architecture(arguments={**TINY, "stem_width": "4"})}, "cannot be built"),
    ({"architecture": architecture(arguments={**TINY, "stem_width": 2**40})}, "at most"),
    ({"architecture": architecture(arguments={**TINY, "num_classes": 5})},
     "2 differences.: 'fc.weight' is 3×6 where the network has 5×6"),
    ({"architecture": architecture(edits=[{"structure": "layer", "blocks": ["layer1.0"]}])},
     "do not fit|cannot be built"),
    ({"architecture": architecture(edits=[{"structure": "x"}])}, "cannot be built"),
    ({"architecture": architecture(edits=[3])}, "an edit that is none"),
    ({"state_dict": None}, "no state_dict"),
    ({"state_dict": {**tiny_state(), "fc.bias": torch.tensor([float("nan")] * 3)}}, "not finite"),
    ({"data": {"mean": [0.5], "std": [0.0]}}, "normalisation is unusable"),
    ({"data": {"mean": [float("nan")], "std": [1.0]}}, "normalisation is unusable"),
    ({"data": {"mean": [0.5]}}, "normalisation is unusable"),
    ({"data": {"mean": [], "std": [1.0]}}, "normalisation is unusable"),
    ({"data": {"mean": 0.0}}, "normalisation is unusable"),
    ({"data": {"classes": [1, 2]}}, "class names"),
    ({"data": [1]}, "description of the data"),
    ({"data": {"flips": "no"}}, "description of the data.*data.flips is 'no', not true or false"),
])  # fmt: skip
def test_own_format(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    refused(tmp_path, own(**changes), CheckpointError, words)


def test_own_format_against_another_arch(tmp_path: Path) -> None:
    refused(tmp_path, own(), ArchitectureError, "do not fit resnet20", arch="resnet20")
    refused(tmp_path, own(), ArchitectureError, "it holds a", arch="some.module:net")
