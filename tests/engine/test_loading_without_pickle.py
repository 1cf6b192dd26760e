"""Checkpoints with other values beside their weights: the tensors are taken, no code is run."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import pathlib
import random
import re
import sys
import types
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_loading_bad_files import legacy, refused, saved, tiny_state
from torch.torch_version import TorchVersion

from engine.checkpoints import ArchitectureError, UnsafeCheckpointError, load

torch.set_num_threads(1)

BESIDE: dict[str, Any] = {
    "PosixPath": pathlib.PurePosixPath("/home/somebody"),
    "datetime": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    "timedelta": datetime.timedelta(1),
    "deque": collections.deque([1.0, 2.0], maxlen=5),
    "ndarray state": np.random.RandomState(0).get_state(),
    "Generator": np.random.default_rng(0),
    "array of text": np.array(["a", None], dtype=object),
    "str_": np.str_("x"),
    "datetime64": np.datetime64("2024-01-01"),
    "TorchVersion": TorchVersion("2.1"),
    "Random": random.Random(1),
    "UUID": uuid.UUID(int=3),
    "Namespace": argparse.Namespace(lr=0.1, data=pathlib.PurePosixPath("/data")),
    "SimpleNamespace": types.SimpleNamespace(lr=0.1),
    "Decimal": decimal.Decimal("1.5"),
    "range": range(3),
    "frozenset": frozenset([1]),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "defaultdict of numbers": collections.defaultdict(int, a=1),
}


def assert_tiny(loaded: Any) -> None:
    state = loaded.model.state_dict()
    assert state.keys() == tiny_state().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in tiny_state().items())


@pytest.mark.parametrize("write", [saved, legacy])
@pytest.mark.parametrize("kind", BESIDE)
def test_values_beside_the_weights_are_left_out_and_told(tmp_path: Path, kind, write) -> None:
    content = {"state_dict": tiny_state(), "best_acc": np.float32(0.5), "extra": BESIDE[kind]}
    (tmp_path / "net.pt").write_bytes(write(content))
    loaded = load(tmp_path / "net.pt")
    assert_tiny(loaded)
    assert loaded.metrics["best_acc"] == 0.5
    quiet = kind in ("range", "frozenset") or kind.startswith("defaultdict")
    assert any("left out, beside the weights" in note for note in loaded.notes) != quiet


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("lightning_fabric.utilities.data", "AttributeDict"),
        ("omegaconf.dictconfig", "DictConfig"),
        ("yacs.config", "CfgNode"),
    ],
)
def test_hyperparameters_of_a_package_that_is_not_here_are_left_out(
    tmp_path: Path, monkeypatch, module, name
) -> None:
    kind = type(name, (dict,), {"__module__": module})
    packages = [module[: m.start()] for m in re.finditer(r"\.|$", module)]
    for package in packages:
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    setattr(sys.modules[module], name, kind)
    content = {
        "pytorch-lightning_version": "2.4.0",
        "hyper_parameters": kind(lr=0.1, arch="resnet20"),
        "state_dict": {f"model.{key}": value for key, value in tiny_state().items()},
    }
    (tmp_path / "epoch=3.ckpt").write_bytes(saved(content))
    for package in packages:
        monkeypatch.delitem(sys.modules, package)
    loaded = load(tmp_path / "epoch=3.ckpt")
    assert_tiny(loaded)
    assert any(f"{module}.{name}" in note and "no code" in note for note in loaded.notes)


def test_a_state_dict_in_a_defaultdict_is_found(tmp_path: Path) -> None:
    content: Any = collections.defaultdict(dict, state_dict=tiny_state(), epoch=3)
    (tmp_path / "net.pt").write_bytes(saved(content))
    assert_tiny(load(tmp_path / "net.pt"))


@pytest.mark.parametrize("write", [saved, legacy])
def test_tensors_of_every_kind_come_out_as_torch_reads_them(tmp_path: Path, write) -> None:
    state = tiny_state()
    wide = torch.zeros(10, 6)
    wide[2:5] = state["fc.weight"]
    state["fc.weight"] = wide[2:5]  # an offset into a larger storage
    state["conv1.weight"] = state["conv1.weight"].to(memory_format=torch.channels_last)
    state["bn1.weight"] = torch.nn.Parameter(state["bn1.weight"])
    half = {k: v.half() if v.is_floating_point() else v for k, v in tiny_state().items()}
    for each in (state, half):
        plain = load(written(tmp_path / "a.pt", write({"state_dict": each})))
        beside = {"state_dict": each, "at": pathlib.PurePosixPath("/x")}
        loaded = load(written(tmp_path / "b.pt", write(beside)))
        for name, tensor in plain.model.state_dict().items():
            assert torch.equal(loaded.model.state_dict()[name], tensor)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_numbers_of_numpy_are_read_in_either_order_of_bytes(tmp_path: Path) -> None:
    numbers = {"a": np.float64(1.5), "b": np.int16(-3), "c": np.float16(0.25), "d": np.uint8(7),
               "e": np.array([2.5], dtype=">f8")[0]}  # fmt: skip
    content = {"state_dict": tiny_state(), "at": pathlib.PurePosixPath("/x"), **numbers}
    loaded = load(written(tmp_path / "net.pt", saved(content)))
    assert loaded.metrics == {"a": 1.5, "b": -3, "c": 0.25, "d": 7, "e": 2.5}


class Recorder:
    """A class of a training script, which is not there when the file is read."""

    def __init__(self) -> None:
        self.best = {"acc": 91.0, "at": pathlib.PurePosixPath("/x")}


@pytest.mark.parametrize("write", [saved, legacy])
def test_a_class_that_is_not_there_keeps_no_tensors_back(tmp_path: Path, write, monkeypatch):
    data = write({"state_dict": tiny_state(), "recorder": Recorder()})
    monkeypatch.delattr(f"{__name__}.Recorder")  # the module is there, the class is not
    refused(tmp_path, data, UnsafeCheckpointError, r"Recorder'.*--trust-pickle")
    loaded = load(tmp_path / "net.pt", trust_pickle=True)  # the remedy
    assert_tiny(loaded)
    assert "cannot be imported here: took the tensors without them" in loaded.notes[0]


def test_one_odd_name_beside_a_prefix_is_left_out_and_named(tmp_path: Path) -> None:
    state = {f"model.{name}": tensor for name, tensor in tiny_state().items()}
    state["criterion.weight"] = torch.ones(3)
    loaded = load(written(tmp_path / "net.ckpt", saved({"state_dict": state})))
    assert_tiny(loaded)
    assert (
        "took 'model.' off the names, and left out what has it not: 'criterion.weight'"
        in loaded.notes
    )


@pytest.mark.parametrize("prefix", ["resnet20.", "student.", "1.", "self_made_net."])
def test_a_prefix_of_any_name_comes_off(tmp_path: Path, prefix: str) -> None:
    state = {f"{prefix}{name}": tensor for name, tensor in tiny_state().items()}
    state["0.mean"] = torch.zeros(3)  # of a layer in front that normalises
    loaded = load(written(tmp_path / "net.pt", saved(state)))
    assert_tiny(loaded)
    assert f"took {prefix!r} off the names, and left out what has it not: '0.mean'" in loaded.notes


def test_two_networks_in_one_file_are_told_and_the_remedy_works(tmp_path: Path) -> None:
    networks = ("student.", "teacher.")
    state = {f"{first}{name}": t for first in networks for name, t in tiny_state().items()}
    told = "it holds 2 networks, below 'student.', 'teacher.'"
    words = str(refused(tmp_path, saved(state), ArchitectureError, told))
    line = words[words.index("{k.removeprefix") : words.rindex("}") + 1]
    assert_tiny(load(written(tmp_path / "one.pt", saved(eval(line, {"state": state})))))


def test_figures_inside_a_mapping_are_found(tmp_path: Path) -> None:
    content = {"state_dict": tiny_state(), "metrics": {"acc1": torch.tensor([0.91])},
               "optimizer": {"lr": 0.1}}  # fmt: skip
    loaded = load(written(tmp_path / "net.pt", saved(content)))
    assert loaded.metrics == {"metrics.acc1": pytest.approx(0.91)}


def test_weights_that_are_not_those_of_a_librarys_network_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "net.pt", saved(tiny_state()))
    with pytest.raises(ArchitectureError, match=r"do not fit the network of torch.*:squeezenet1_1"):
        load(path, arch="torchvision.models:squeezenet1_1")
