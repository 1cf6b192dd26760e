"""Folders of transformers and timm: which networks open, and what is said of those that do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from engine.checkpoints import ArchitectureError, load
from engine.contracts.codec import decode, encode
from engine.contracts.errors import (
    CheckpointError,
    UnknownFamilyError,
    UnusableFileError,
    UsageError,
)
from engine.contracts.networks import Architecture
from engine.models import build
from engine.models.hugging_face import check_config
from engine.models.outputs import output_of
from engine.pruning.structure.find import find_structure
from explorer.session.model_source import source_of
from explorer.session.open_run import Request

transformers = pytest.importorskip("transformers")

TOWER = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
             image_size=32, patch_size=8)  # fmt: skip
TEXTS = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
             vocab_size=50, max_position_embeddings=8, projection_size=16)  # fmt: skip
TWO_TOWERS = {"vision_config": TOWER, "text_config": TEXTS}
OPENED = {
    "CLIPForImageClassification": ("clip", TWO_TOWERS),
    "MetaClip2ForImageClassification": ("metaclip_2", TWO_TOWERS),
    "SiglipForImageClassification": ("siglip", TWO_TOWERS),
    "Dinov2ForImageClassification": ("dinov2", TOWER),
    "DeiTForImageClassification": ("deit", TOWER),
    "DeiTForImageClassificationWithTeacher": ("deit", TOWER),
}


def saved(folder: Path, class_name: str, kind: str, config: dict) -> torch.nn.Module:
    told = transformers.AutoConfig.for_model(kind, **config)
    if "Image" in class_name:
        told.id2label = {0: "a", 1: "b", 2: "c"}
    torch.manual_seed(0)
    model = getattr(transformers, class_name)(told).eval()
    model.save_pretrained(folder)
    return model


def opened(folder: Path):
    source = source_of(Request(str(folder)))
    return load(source.path, arch=source.arch)


@pytest.mark.parametrize("class_name", OPENED)
def test_an_image_classifier_opens_as_it_was_saved(tmp_path, class_name):
    kind, config = OPENED[class_name]
    if not hasattr(transformers, class_name):
        pytest.skip("an older transformers")
    model = saved(tmp_path / "saved", class_name, kind, config)
    loaded = opened(tmp_path / "saved")
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(output_of(loaded.model(images)), model(images).logits)
    # What a store keeps of it is enough to make it again.
    kept = decode(Architecture, json.loads(json.dumps(encode(loaded.architecture))), "x")
    again = build(kept.factory, kept.arguments)
    again.load_state_dict(loaded.model.state_dict())
    torch.testing.assert_close(output_of(again.eval()(images)), model(images).logits)
    structure = find_structure(loaded.model, images)
    assert {"head", "neuron"} <= {group.kind for group in structure.groups}


@pytest.mark.parametrize(("class_name", "kind", "config", "words"), [
    ("CLIPModel", "clip", TWO_TOWERS,
     r"two towers.*CLIPForImageClassification\.from_pretrained\(FOLDER, num_labels=…\)"),
    ("SiglipModel", "siglip", TWO_TOWERS, r"two towers.*SiglipForImageClassification\.from_pre"),
    ("Dinov2Model", "dinov2", TOWER, r"'Dinov2Model' is no image classifier; make one of it"),
    ("ViTForMaskedImageModeling", "vit", TOWER, "'ViTForMaskedImageModeling' is no image class"),
])  # fmt: skip
def test_what_is_no_image_classifier_is_told_and_can_be_made_one(
    tmp_path, class_name, kind, config, words
):
    saved(tmp_path / "saved", class_name, kind, config)
    with pytest.raises(ArchitectureError, match=words) as refused:
        opened(tmp_path / "saved")
    assert "package.module:factory" in str(refused.value)
    made = str(refused.value).partition("transformers.")[2].partition(".")[0]  # as it says
    getattr(transformers, made).from_pretrained(tmp_path / "saved", num_labels=3).save_pretrained(
        tmp_path / "new"
    )
    assert output_of(opened(tmp_path / "new").model(torch.rand(2, 3, 32, 32))).shape == (2, 3)


@pytest.mark.parametrize(("kind", "words"), [
    ("align", "'AlignModel' compares images with texts"),
    ("siglip2", "do not take images but patches"),
    ("imagegpt", "do not take images but colours"),
    ("clip_vision_model", "no image classifier of the kind 'clip_vision_model'.*package.module:"),
])  # fmt: skip
def test_kinds_that_classify_no_images_are_told_with_a_way_on(tmp_path, kind, words):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    torch.save({"x": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UnknownFamilyError, match=words) as refused:
        opened(tmp_path)
    assert "package.module:factory" in str(refused.value)


def test_tensors_of_other_sizes_are_told_by_name(tmp_path):
    saved(tmp_path / "saved", *("ViTForImageClassification", "vit", TOWER))
    config = json.loads((tmp_path / "saved/config.json").read_text())
    (tmp_path / "saved/config.json").write_text(json.dumps({**config, "patch_size": 4}))
    with pytest.raises(ArchitectureError, match=r"2 differences\): .*projection\.weight'"):
        opened(tmp_path / "saved")


@pytest.mark.parametrize("arguments", [
    {"vision_config": {"auto_map": {}}}, {"vision_config": {"a": {"b": 1}}},
    {"vision_config": {"_name_or_path": "x"}}, {"vision_config": {"hidden_act": "a/b"}},
    {"model_args": {"checkpoint_path": "weights.bin"}}, {"backbone_config": {"depth": 3}},
    {"a_config": {"b_config": {"c_config": {"d": 1}}}}, {"architectures": ["a/b"]},
])  # fmt: skip
def test_parts_of_a_configuration_hold_plain_values_only(arguments):
    with pytest.raises(UnknownFamilyError, match="no number or short word"):
        check_config(arguments)


def test_a_class_that_is_not_of_the_kind_is_never_made():
    made = build("transformers:vit", {**TOWER, "architectures": ["CLIPModel"]})
    assert type(made).__name__ == "ViTForImageClassification"


# ------------------------------------------------------------ weights in several files


def in_parts(folder: Path) -> torch.nn.Module:
    model = saved(folder, "ViTForImageClassification", "vit", TOWER)
    model.save_pretrained(folder, max_shard_size="12KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    return model


def test_weights_in_several_files_are_those_of_one(tmp_path):
    model = in_parts(tmp_path / "saved")
    source, loaded = source_of(Request(str(tmp_path / "saved"))), opened(tmp_path / "saved")
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(output_of(loaded.model(images)), model(images).logits)
    assert loaded.folder.classes == ("a", "b", "c")
    before = source.checkpoint()
    assert before.name == "model.safetensors" and before.sha256 == loaded.digest
    parts = sorted((tmp_path / "saved").glob("model-*.safetensors"))
    assert source.num_bytes == sum(part.stat().st_size for part in parts)
    state = safetensors.torch.load_file(parts[0])
    state[next(iter(state))] += 1
    safetensors.torch.save_file(state, parts[0])
    assert source.checkpoint() != before  # other weights, the same index


def test_a_part_that_is_not_there_or_not_whole_is_told_by_name(tmp_path):
    in_parts(tmp_path / "saved")
    part = sorted((tmp_path / "saved").glob("model-*.safetensors"))[1]
    state = safetensors.torch.load_file(part)
    name = state.popitem()[0]
    safetensors.torch.save_file(state, part)
    with pytest.raises(CheckpointError, match=rf"'{name}' lies in '{part.name}', and it does not"):
        opened(tmp_path / "saved")
    part.write_bytes(part.read_bytes()[:9])
    with pytest.raises(CheckpointError, match=f"'{part.name}', which is a part of it: a safe"):
        opened(tmp_path / "saved")
    part.unlink()
    with pytest.raises(CheckpointError, match=f"{part.name} is not there"):
        opened(tmp_path / "saved")


@pytest.mark.parametrize("index", [
    "{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 3}}', "[" * 10_000,
    '{"weight_map": {"a": "../model.safetensors"}}', '{"weight_map": {"a": "/etc/passwd"}}',
    '{"weight_map": {"a": "weights.bin"}}', '{"weight_map": {"a": ".safetensors"}}',
    json.dumps({"weight_map": {str(n): f"{n}.safetensors" for n in range(1001)}}),
], ids=lambda text: text[:40])  # fmt: skip
def test_an_index_that_names_no_files_beside_it_is_refused(tmp_path, index):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "model.safetensors.index.json").write_text(index)
    for look in (lambda: opened(tmp_path), source_of(Request(str(tmp_path))).checkpoint):
        with pytest.raises((CheckpointError, UnusableFileError), match="get the folder again"):
            look()


# ------------------------------------------------------------ folders of timm


def test_folders_that_timm_or_transformers_saved_of_timm_are_networks_of_timm(tmp_path):
    timm = pytest.importorskip("timm")
    from timm.models import save_for_hf

    images = torch.rand(2, 3, 64, 64)
    model = timm.create_model("test_resnet.r160_in1k", num_classes=3).eval()
    save_for_hf(model, str(tmp_path / "hub"), safe_serialization=True)
    assert source_of(Request(str(tmp_path / "hub"))).arch == "timm:test_resnet.r160_in1k"
    torch.testing.assert_close(opened(tmp_path / "hub").model(images), model(images))
    wrapped = saved(tmp_path / "wrapped", "TimmWrapperForImageClassification", "timm_wrapper",
                    {"architecture": "test_resnet"})  # fmt: skip
    loaded = opened(tmp_path / "wrapped")
    assert loaded.architecture == Architecture("timm:test_resnet", {"num_classes": 3})
    torch.testing.assert_close(loaded.model(images), wrapped(images).logits)


@pytest.mark.parametrize("config", [
    {"architecture": "hf-hub:somebody/net"}, {"architecture": "../net"}, {"architecture": ""},
    {"architecture": 7, "pretrained_cfg": 3}, {"model_type": "timm_wrapper"},
])  # fmt: skip
def test_a_folder_that_names_no_network_of_timm_is_refused(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises((UsageError, CheckpointError), match="names no"):
        source_of(Request(str(tmp_path)))
