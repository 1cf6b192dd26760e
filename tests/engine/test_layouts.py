"""What the tensors of a network do not show is found on images, and stays with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from teachers import ARGUMENTS, images, teacher, write_lesson
from test_roots import ARGUMENTS as COLOURS
from test_roots import colour_network, write_data

from engine.checkpoints import load
from engine.checkpoints import write as checkpoint
from engine.checkpoints.layouts import plausible
from engine.contracts.codec import content_hash
from engine.contracts.errors import SettingsError
from engine.contracts.events import Progress
from engine.contracts.jobs import JobRequest, Opened, OpenRoot, Places
from engine.contracts.networks import Architecture, DataDescription, FileRef
from engine.models import build
from engine.models.resnet_layout import Layout
from engine.runtime.progress import SILENT, Monitor
from engine.worker.engine import Engine

torch.set_num_threads(1)


def opened(
    folder: Path, content: Any, data: str, monitor: Monitor = SILENT, said: str | None = None
) -> Opened:
    torch.save(content, folder / "net.pth")
    job = OpenRoot(FileRef("net.pth", "0" * 64), device="cpu", normalisation=said)
    places = Places(data=data, checkpoint=str(folder / "net.pth"))
    root = Engine(folder / "spool").run(JobRequest("open", job, places=places), monitor)
    assert isinstance(root, Opened)
    return root


@pytest.mark.parametrize("layout", [
    {"padding": "behind"},
    {"padding": "behind", "subsampling": "average"},
    {"stem_pool": True},
    {"strides": [1, 1, 2]},
    {"bn_eps": 1e-3},
], ids=str)  # fmt: skip
def test_the_layout_of_a_foreign_network_is_found(layout, tmp_path):
    model = teacher(**layout)
    root = opened(tmp_path, model.state_dict(), write_lesson(tmp_path, model))
    assert root.architecture.arguments == {**ARGUMENTS, **layout}
    assert root.metrics["test_accuracy"] > 99
    words = Layout.of(layout, 3).describe()
    assert any(f"took {words}, in which" in note for note in root.notes)
    assert not any("padded on both sides" in note for note in root.notes)


def test_the_usual_layout_is_kept_with_the_notes_it_always_had(tmp_path):
    model = teacher()
    root = opened(tmp_path, model.state_dict(), write_lesson(tmp_path, model))
    assert root.architecture == Architecture("cifar_resnet", ARGUMENTS)
    assert root.notes[1] == (
        "its shortcuts have no parameters: taken as option A, padded on both sides"
    )
    assert root.notes[2].startswith(
        "the checkpoint names no normalisation; took half, the best of: imagenet "
    )
    assert root.doubts == ()


def test_a_person_settles_how_images_are_scaled(tmp_path):
    """By a name, by numbers, or by those of the training images: the layout is still found."""
    model = teacher(padding="behind")
    data = write_lesson(tmp_path, model)
    root = opened(tmp_path, model.state_dict(), data, said="half")
    assert root.data.normalisation == "half" and root.data.mean == (0.5,) * 3
    assert root.architecture.arguments["padding"] == "behind"
    assert "images are scaled as half (--normalisation)" in root.notes
    assert not any("names no normalisation" in note for note in root.notes)
    numbers = opened(tmp_path, model.state_dict(), data, said="0.5:0.5,0.5,0.5")
    assert (numbers.data.mean, numbers.data.std) == (root.data.mean, root.data.std)
    assert numbers.metrics["val_accuracy"] == root.metrics["val_accuracy"]
    of_the_data = opened(tmp_path, model.state_dict(), data, said="data")
    assert of_the_data.data.mean != root.data.mean
    for wrong in ("hafl", "0.5,0.5:0.5", "0.5:0", "nan:1", "mnist"):
        with pytest.raises(SettingsError, match=r"--normalisation .*imagenet, cifar10"):
            opened(tmp_path, model.state_dict(), data, said=wrong)


def test_all_trials_are_one_way_whose_end_only_comes_nearer(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.runtime.progress.SHORTEST_INTERVAL", 0.0)
    events: list[object] = []
    model = teacher(padding="behind")
    data = write_lesson(tmp_path, model)
    opened(tmp_path, model.state_dict(), data, Monitor(events.append))
    told = [e for e in events if isinstance(e, Progress) and e.phase == "normalisation"]
    assert len(told) > 20
    shares = [event.done / event.total for event in told]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert len({event.done for event in told}) == len(told)


@torch.no_grad()
def test_a_network_of_unscaled_pixels_is_found(tmp_path):
    """As OpenCV gives them, from 0 to 255."""
    model = teacher()  # of pixels from -1 to 1
    model.conv1.weight.div_(127.5)
    model.bn1.running_mean.add_(127.5 * model.conv1.weight.sum((1, 2, 3)))
    content = {}
    for split, count in (("train", 500), ("test", 200)):
        content[f"x_{split}"] = pixels = images(count, count)
        answers = model(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
        content[f"y_{split}"] = answers.argmax(1).numpy()
    np.savez(tmp_path / "raw.npz", **content, flips=np.array(False))
    root = opened(tmp_path, model.state_dict(), str(tmp_path / "raw.npz"))
    assert set(root.data.std) == {1 / 255} and "took bytes, the best of" in " ".join(root.notes)
    assert root.metrics["test_accuracy"] > 99


def test_layouts_that_do_equally_well_are_doubted(tmp_path):
    """The means of colours are the same whatever the strides."""
    root = opened(tmp_path, colour_network().state_dict(), write_data(tmp_path))
    assert "strides" not in root.architecture.arguments
    assert root.architecture.arguments.keys() == COLOURS.keys()
    (doubt,) = (doubt for doubt in root.doubts if doubt.code == "layout")
    assert "took the usual layout, but it could as well be a" in doubt.words
    assert not doubt.asks


def test_a_layout_goes_through_our_own_format(tmp_path):
    layout = {"padding": "behind", "stem_pool": True, "strides": [1, 2, 1]}
    model = teacher(**layout)
    architecture = Architecture("cifar_resnet", {**ARGUMENTS, **layout})
    checkpoint.save(tmp_path / "own.pt", architecture, model.state_dict(), DataDescription(), {})
    loaded = load(tmp_path / "own.pt")
    images = torch.rand(2, 3, 16, 16)
    assert loaded.architecture == architecture and not loaded.inferred
    assert torch.equal(loaded.model(images), model(images))


def test_the_usual_layout_has_no_arguments_so_that_keys_stay():
    assert Layout().arguments() == {}
    assert build("cifar_resnet", ARGUMENTS).layout == Layout()
    known = {"stem_width": 16, "stage_widths": [16], "inner_widths": [[16]]}
    assert content_hash(Architecture("cifar_resnet", known)).startswith("0c416ceef345")
    assert Layout.of({"strides": [1, 1, 2]}, 3).arguments() == {"strides": [1, 1, 2]}


def test_plausible_layouts_begin_with_the_usual_one_and_fit_the_tensors():
    for shortcut in ("A", "B", "conv"):
        for widths in ([4], [4, 4], [4, 6, 6], [4, 8, 16]):
            arguments = {**ARGUMENTS, "shortcut": shortcut, "stem_width": 4, "stage_widths": widths,
                         "inner_widths": [[3]] * len(widths)}  # fmt: skip
            names = build("cifar_resnet", arguments).state_dict().keys()
            found = plausible(arguments)
            assert found[0] == Layout() and len(set(found)) == len(found) < 20
            for layout in found:
                model = build("cifar_resnet", {**arguments, **layout.arguments()})
                assert model.state_dict().keys() == names
                assert torch.isfinite(model.eval()(torch.rand(1, 3, 9, 9))).all()


@pytest.mark.parametrize("wrong", [
    {"padding": "left"}, {"subsampling": "x"}, {"strides": [1]}, {"strides": [1, 0, 2]},
    {"stem_stride": True}, {"stem_stride": 99}, {"stem_pool": 1}, {"bn_eps": 0.0},
    {"bn_eps": float("nan")}, {"bn_eps": "x"}, {"more": 1}, {"strides": 3},
])  # fmt: skip
def test_a_layout_that_is_none_is_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        build("cifar_resnet", {**ARGUMENTS, **wrong})


def test_a_network_that_reads_blue_first_is_doubted_with_a_remedy_that_mends_it(tmp_path):
    model = teacher()
    data = write_lesson(tmp_path, model)
    weights = model.state_dict()
    turned = {**weights, "conv1.weight": weights["conv1.weight"].flip(1)}
    (doubt,) = [d for d in opened(tmp_path, turned, data).doubts if d.code == "channel-order"]
    assert doubt.asks and "weight.flip(1)" in doubt.words
    followed = {**turned, "conv1.weight": turned["conv1.weight"].flip(1)}
    root = opened(tmp_path, followed, data)
    assert not any(d.code == "channel-order" for d in root.doubts)
    assert root.metrics["test_accuracy"] > 99
