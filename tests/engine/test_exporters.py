"""What every format that a network is exported to keeps to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from networks import randomise_statistics
from test_families import EVERY, data_for, of_every_family, pruned_of

from engine.checkpoints import ArchitectureError, UnsafeCheckpointError, load
from engine.contracts.errors import CheckpointError, UsageError
from engine.contracts.export_formats import FORMATS, USUAL, check_suffix, told_formats
from engine.contracts.jobs import Export, Exported, JobRequest, Places
from engine.contracts.networks import Architecture, DataDescription, NetworkRef, SnapshotRef
from engine.export import EXPORTERS, Provenance
from engine.models import build
from engine.runtime.progress import SILENT
from engine.worker.engine import Engine

DATA = DataDescription(
    name="bars", classes=("grün", "b", "c"), mean=(0.3,), std=(0.2,), flips=False, digest="ab" * 32,
    image_shape=(16, 16, 3), num_train=7, normalisation="bars statistics",
)  # fmt: skip
METRICS = {"val_accuracy": 91.25, "macs": 55890, "val_loss": float("nan"), "run": "tiny-1",
           "decision": {"kept": ["R.L"], "too_close": None}}  # fmt: skip
of_every_format = pytest.mark.parametrize("suffix", EXPORTERS)


def pruned(family: str, arguments: dict[str, Any]) -> tuple[torch.nn.Module, Provenance]:
    model, edits = pruned_of(randomise_statistics(build(family, arguments, seed=4), 4))
    return model.eval(), Provenance(Architecture(family, arguments, edits), DATA, METRICS)


@pytest.fixture
def example() -> tuple[torch.nn.Module, Provenance]:
    return pruned(*EVERY[0])


def test_the_formats_that_are_offered_are_those_that_can_be_written():
    assert tuple(FORMATS) == tuple(EXPORTERS) and USUAL in FORMATS
    assert all(suffix.startswith(".") and words for suffix, words in FORMATS.items())
    assert all(suffix in told_formats() for suffix in FORMATS)


@pytest.mark.parametrize(("suffix", "better"), [(".onnx", "best.pt"), ("", "best.pt")])
def test_any_other_suffix_is_refused_with_those_there_are(suffix, better):
    with pytest.raises(UsageError) as caught:
        check_suffix(suffix, f"best{suffix}")
    assert all(known in str(caught.value) for known in FORMATS)
    assert str(caught.value).endswith(f"name it {better}")


# ------------------------------------------------------------ every format


@of_every_format
@of_every_family
def test_a_pruned_network_opens_again_as_it_was(suffix, family, arguments, tmp_path):
    model, about = pruned(family, arguments)
    path = tmp_path / f"out{suffix}"
    EXPORTERS[suffix](model, about, path)
    loaded = load(path)
    assert loaded.architecture == about.architecture and loaded.notes == ()
    images = data_for(model).train.pixels_NHWC.permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(images), model(images), rtol=0, atol=1e-6)
    weights, again = model.state_dict(), loaded.model.state_dict()
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@of_every_format
def test_where_it_comes_from_is_in_the_file(suffix, example, tmp_path):
    model, about = example
    path = tmp_path / f"out{suffix}"
    EXPORTERS[suffix](model, about, path)
    loaded = load(path)
    assert loaded.data == DATA
    assert loaded.metrics == {"val_accuracy": 91.25, "macs": 55890}  # its finite numbers


@of_every_format
def test_a_network_of_which_little_is_known_can_be_written_too(suffix, example, tmp_path):
    model, about = example
    EXPORTERS[suffix](
        model, Provenance(about.architecture, DataDescription()), tmp_path / f"out{suffix}"
    )
    loaded = load(tmp_path / f"out{suffix}")
    assert loaded.data is None and loaded.metrics == {}


@of_every_format
def test_the_network_itself_stays_as_it_is(suffix, example, tmp_path):
    model, about = example
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    EXPORTERS[suffix](model, about, tmp_path / f"out{suffix}")
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@of_every_format
def test_a_file_is_written_whole_or_the_old_one_stays(suffix, example, tmp_path, monkeypatch):
    model, about = example
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"the old one")

    def no_space(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space"):
            EXPORTERS[suffix](model, about, path)
    assert path.read_bytes() == b"the old one" and os.listdir(tmp_path) == [path.name]
    EXPORTERS[suffix](model, about, path)
    assert load(path).architecture == about.architecture


@of_every_format
def test_the_export_job_writes_the_format_that_it_names(suffix, example, tmp_path):
    model, about = example
    engine = Engine(tmp_path / "spool")
    network = NetworkRef(about.architecture, engine.bench.keep(model))
    path = tmp_path / "somewhere"  # the job says it, not the name of the file
    job = Export(network, DATA, METRICS, suffix)
    exported = engine.run(JobRequest("x", job, places=Places(output=str(path))), SILENT)
    assert isinstance(exported, Exported) and exported.size_bytes == path.stat().st_size
    assert load(path).architecture == about.architecture


def test_a_job_for_a_format_that_there_is_not_writes_nothing(tmp_path):
    network = NetworkRef(Architecture("cifar_resnet"), SnapshotRef("ab" * 32))
    job, output = Export(network, DATA, format=".onnx"), tmp_path / "net.onnx"
    with pytest.raises(UsageError, match=r"only \.pt and \.safetensors"):
        Engine(tmp_path).run(JobRequest("x", job, places=Places(output=str(output))), SILENT)
    assert not output.exists()


# ------------------------------------------------------------ safetensors


def written(example, folder: Path, **metadata: str) -> Path:
    """A safetensors file with some of its metadata replaced."""
    path = folder / "net.safetensors"
    EXPORTERS[".safetensors"](*example, path)
    with safetensors.safe_open(path, "pt") as file:
        told = {**file.metadata(), **metadata}
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, metadata=told)
    return path


def test_a_safetensors_file_says_it_all_to_who_has_only_that_library(example, tmp_path):
    with safetensors.safe_open(written(example, tmp_path), "pt") as file:
        told = file.metadata()
        assert told["format"] == "pt" and told["pe-explore"] == "pe-explore/1"
        assert json.loads(told["architecture"])["edits"][0]["structure"] == "layer"
        assert json.loads(told["data"])["classes"] == list(DATA.classes)
        assert json.loads(told["metrics"])["run"] == "tiny-1"
        assert set(file.keys()) == set(example[0].state_dict())


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"architecture": "{"}, "its metadata 'architecture' are no JSON"),
        ({"metrics": "[" * 100_000}, "its metadata 'metrics' are no JSON"),
        ({"architecture": "[]"}, "does not tell its architecture"),
        ({"data": "7"}, "description of the data is unreadable"),
        ({"pe-explore": "pe-explore/99"}, "written by a newer pe-explore"),
        ({"architecture": json.dumps({"factory": "cifar_resnet", "arguments": {}, "edits": []})},
         "cannot be built"),
    ],
)  # fmt: skip
def test_metadata_that_are_wrong_are_refused_in_words(example, tmp_path, metadata, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        load(written(example, tmp_path, **metadata))
    assert str(caught.value).isprintable()


def test_a_factory_that_the_metadata_name_is_not_called(example, tmp_path):
    foreign = json.dumps({"factory": "os:getcwd", "arguments": {}, "edits": []})
    with pytest.raises(UnsafeCheckpointError, match="os:getcwd"):
        load(written(example, tmp_path, architecture=foreign))


def test_metadata_of_others_are_passed_over(example, tmp_path):
    path = tmp_path / "net.safetensors"
    tensors = {name: value.contiguous() for name, value in example[0].state_dict().items()}
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt", "architecture": "{"})
    loaded = load(path)  # inferred from the tensors
    assert loaded.data is None and loaded.metrics == {}
    with pytest.raises(ArchitectureError):
        load(path, arch="resnet20")
