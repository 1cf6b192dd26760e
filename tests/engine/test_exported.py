"""Programs of torch.export as networks: read without running anything of theirs, and pruned."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from networks import CPU, randomise_statistics, small_data
from torch import nn

from engine.checkpoints import ArchitectureError, LoadedNetwork, UnsupportedFormatError, load
from engine.checkpoints import write as checkpoint
from engine.contracts.edits import Edit
from engine.contracts.errors import CheckpointError
from engine.contracts.networks import Architecture, DataDescription
from engine.models.preparations import prepare
from engine.pruning.editing import apply, rebuild
from engine.pruning.explicit import explicit
from engine.pruning.structure.find import find_structure
from engine.runtime import device
from engine.tasks import ImageTask
from engine.training.finetune import train
from engine.training.plan import TrainPlan

torch.set_num_threads(1)


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.conv2, self.bn2 = nn.Conv2d(5, width, 3, padding=1), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)  # called twice

    def forward(self, x):
        return self.relu(x + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))


class Network(nn.Module):
    """Blocks, a reshape by the number of images, a parameter of its own, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.body = nn.Sequential(Block(6), Block(6), Block(6))
        self.scale = nn.Parameter(torch.rand(6, 1, 1) + 0.5)
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(12, 3)

    def forward(self, images):
        x = self.body(self.stem(images)) * self.scale
        first, second = x.chunk(2, 1)
        x = torch.cat([first.mean((2, 3)), second.amax((2, 3)), x[:, :, 0, 0]], 1)
        return self.fc(self.drop(x.view(images.shape[0], -1)))


def exported(model: nn.Module, dynamic: bool = True) -> bytes:
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    program = torch.export.export(model, (torch.rand(2, 3, 8, 8),), dynamic_shapes=shapes)
    stream = io.BytesIO()
    torch.export.save(program, stream)
    return stream.getvalue()


def made() -> nn.Module:
    torch.manual_seed(0)
    return randomise_statistics(Network(), 1)


def stored(name: str, *, dynamic: bool) -> bytes:
    """An archive as torch wrote it, without the paths of its machine; PE_UPDATE_GOLDEN=1 writes it
    anew. To export one takes torch ten seconds."""
    path = Path(__file__).parent / "golden" / name

    def without_paths(program: dict[str, Any]) -> None:
        for node in nodes_of(program):
            node["metadata"].pop("stack_trace", None)

    if os.environ.get("PE_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(with_program(exported(made(), dynamic), without_paths))
    return path.read_bytes()


@pytest.fixture(scope="module")
def archive() -> bytes:
    return stored("program.pt2", dynamic=True)


def read(folder: Path, data: bytes, **options: Any):
    (folder / "net.pt2").write_bytes(data)
    return load(folder / "net.pt2", **options)


def changed(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The archive with its entries changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return stream.getvalue()


def with_program(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    def edit(name: str, content: bytes) -> bytes:
        if "/models/" not in name:
            return content
        program = json.loads(content)
        change(program)
        return json.dumps(program).encode()

    return changed(data, edit)


def assert_same(loaded: LoadedNetwork, network: nn.Module) -> None:
    network.load_state_dict(loaded.model.state_dict())
    images = torch.rand(5, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(loaded.model(images), network.eval()(images))


def test_a_program_is_the_network_that_it_was_exported_from(archive, tmp_path):
    loaded = read(tmp_path, archive)
    assert loaded.architecture.factory == "exported_program" and not loaded.inferred
    assert_same(loaded, Network())
    assert any("no code of it was run" in note for note in loaded.notes)


def test_its_structure_is_found_and_it_is_pruned_and_read_again(archive, tmp_path):
    loaded = read(tmp_path, archive)
    prepare(loaded.model)
    images = torch.rand(2, 3, 8, 8)
    structure = find_structure(loaded.model, images)
    assert [block.path for block in structure.blocks] == ["body.0", "body.1", "body.2"]
    inner = [group.path for group in structure.groups if group.block]
    assert inner == [f"body.{n}.conv1" for n in range(3)]
    edits = []
    model, steps = loaded.model, [
        Edit("layer", blocks=("body.1",)), Edit("filter", units=(("body.0.conv1", (1, 3)),)),
    ]  # fmt: skip
    for step in steps:
        edits.append(explicit(step, find_structure(model, images)))
        model = apply(edits[-1], model)
    with torch.no_grad():
        expected = model.eval()(images)
    architecture = Architecture(
        loaded.architecture.factory, loaded.architecture.arguments, tuple(edits)
    )
    again = rebuild(architecture).eval()
    again.load_state_dict(model.state_dict())
    checkpoint.save(tmp_path / "x.pt", architecture, model.state_dict(), DataDescription(), {})
    with torch.no_grad():
        assert torch.equal(again(images), expected)
        assert torch.equal(load(tmp_path / "x.pt").model(images), expected)


def test_its_batch_norms_learn_again(archive, tmp_path):
    model = read(tmp_path, archive).model
    before = model.get_submodule("stem.1").running_mean.clone()
    train(model, ImageTask(small_data()), TrainPlan(0, 1, 1, seed=1, batch_size=8), CPU)
    assert not torch.equal(before, model.get_submodule("stem.1").running_mean)


def test_a_program_of_a_fixed_number_of_images_is_refused(tmp_path):
    with pytest.raises(UnsupportedFormatError, match=r"on 2 images at a time.*dynamic_shapes="):
        read(tmp_path, stored("program-of-two.pt2", dynamic=False))


@pytest.mark.slow
def test_programs_that_this_torch_exports_are_read(tmp_path):
    device.apply(CPU)  # a worker's process exports like any other
    assert_same(read(tmp_path, exported(made())), Network())
    # Nothing in it depends on the number of images, though it was exported for two.
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(4, 3)).eval()  # fmt: skip
    assert_same(read(tmp_path, exported(plain, dynamic=False)), plain)
    resnet = torchvision.models.resnet18(num_classes=3).eval()
    assert_same(read(tmp_path, exported(resnet)), resnet)


# ------------------------------------------------------------ what comes from outside


def test_nothing_of_the_file_is_run(archive, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    def poison(name: str, content: bytes) -> bytes:
        return pickle.dumps(Harm()) if "sample_inputs" in name else content

    def guards(program: dict[str, Any]) -> None:
        harm = f"__import__('os').mkdir({str(tmp_path / 'harm')!r})"
        program["guards_code"] = [harm]
        program["range_constraints"] = {harm: {"min_val": 1, "max_val": 2}}

    loaded = read(tmp_path, with_program(changed(archive, poison), guards))
    loaded.model(torch.rand(2, 3, 8, 8))
    assert not (tmp_path / "harm").exists()


def nodes_of(program: dict[str, Any]) -> list[dict[str, Any]]:
    return program["graph_module"]["graph"]["nodes"]


def node_of(program: dict[str, Any], target: str) -> dict[str, Any]:
    return next(node for node in nodes_of(program) if target in node["target"])


def set_argument(node: dict[str, Any], name: str, arg: dict[str, Any]) -> None:
    node["inputs"] = [each for each in node["inputs"] if each["name"] != name]
    node["inputs"].append({"name": name, "arg": arg, "kind": 1})


@pytest.mark.parametrize(("change", "words"), [
    (lambda p: node_of(p, "relu").update(target="os.system"), "it does 'os.system'; save its weig"),
    (lambda p: node_of(p, "relu").update(target="torch.ops.aten.from_file.default"),
     "it does 'torch.ops.aten.from_file.default'"),
    (lambda p: set_argument(node_of(p, "batch_norm"), "training", {"as_bool": True}),
     r"while it was trained; call model\.eval\(\)"),
    (lambda p: set_argument(node_of(p, "conv2d"), "weight", {"as_tensor": {"name": "images"}}),
     "the weight of one of its operations is computed"),
    (lambda p: set_argument(node_of(p, "conv2d"), "stride", {"as_ints": [10**9, 1]}),
     "cannot be built .*the number 1000000000 in a program"),
    (lambda p: set_argument(node_of(p, "conv2d"), "groups", {"as_int": 10**5}), "cannot be built"),
    (lambda p: p["graph_module"]["signature"]["output_specs"].append({"user_output": {}}),
     "it gives 2 outputs; export, in evaluation"),
    (lambda p: p["graph_module"]["signature"]["input_specs"].append({"token": {}}),
     "it takes 'token'"),
    (lambda p: p.pop("graph_module"), "written in another way than torch"),
    (lambda p: nodes_of(p).clear(), "written in another way|program has 1 to"),
    (lambda p: nodes_of(p).extend(nodes_of(p)[-1:] * 20_001), "a program has 1 to 20,000 nodes"),
])  # fmt: skip
def test_programs_that_are_not_read_are_refused_with_the_reason(change, words, archive, tmp_path):
    with pytest.raises(CheckpointError, match=words) as refused:
        read(tmp_path, with_program(archive, change))
    assert "\n" not in str(refused.value)


def test_tensors_that_are_pickled_or_larger_than_their_bytes_are_refused(archive, tmp_path):
    def weights(change: Callable[[dict[str, Any]], object]) -> bytes:
        def edit(name: str, content: bytes) -> bytes:
            if not name.endswith("weights_config.json"):
                return content
            config = json.loads(content)
            change(config["config"]["fc.weight"])
            return json.dumps(config).encode()

        return changed(archive, edit)

    with pytest.raises(UnsupportedFormatError, match=r"'fc\.weight' is pickled"):
        read(tmp_path, weights(lambda entry: entry.update(use_pickle=True)))
    for key, value in (("sizes", [10**12, 12]), ("strides", [10**9, 1]), ("sizes", [-3, 12])):

        def change(entry: dict[str, Any], key: str = key, value: list[int] = value) -> None:
            entry["tensor_meta"][key] = [{"as_int": size} for size in value]

        with pytest.raises(CheckpointError, match=r"larger than its bytes|has no shape"):
            read(tmp_path, weights(change))


def test_arch_is_not_needed(archive, tmp_path):
    with pytest.raises(ArchitectureError, match="says itself what the network is"):
        read(tmp_path, archive, arch="torchvision.models:resnet18")


def values_in(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every place in a document, as what holds it and its key there."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        found.append((value, key))
        if isinstance(inner, dict | list):
            values_in(inner, found)
    return found


ODD = [None, -1, 0, 3, 10**6, 2**63, 1e300, "", "x.y", [], {}, [[1]], True, "training", "__class__"]


@pytest.mark.parametrize("seed", range(8))
def test_a_document_that_somebody_changed_is_read_or_refused(seed, archive, tmp_path):
    rng = random.Random(seed)

    def change(program: dict[str, Any]) -> None:
        for _ in range(rng.choice([1, 1, 2, 5])):
            module = program["graph_module"]
            parts = [module["graph"]["nodes"], module["signature"]]
            holder, key = rng.choice(values_in(rng.choice(parts), []))
            holder[key] = rng.choice(ODD)

    for _ in range(15):
        data = with_program(archive, change)
        try:
            read(tmp_path, data)
        except CheckpointError as error:
            assert "\n" not in str(error)
