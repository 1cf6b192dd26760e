"""What is said of a checkpoint and of its data before hours are spent on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.checkpoints import preset_normalisations
from engine.checkpoints import write as checkpoint
from engine.contracts.errors import DataError, DataNotNamedError
from engine.contracts.events import EngineEvent, NetworkRead
from engine.contracts.jobs import JobRequest, Opened, OpenRoot, Places
from engine.contracts.networks import Architecture, DataDescription, FileRef
from engine.models import build
from engine.runtime.progress import SILENT, Monitor
from engine.worker.engine import Engine

ARGUMENTS: dict[str, Any] = {
    "stem_width": 4, "stage_widths": [4], "inner_widths": [[4]], "shortcut": "A",
    "conv_bias": False, "num_classes": 3, "in_channels": 3,
}  # fmt: skip


def colours(count: int, seed: int, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with more of one of three colours, by class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pixels = random.integers(0, 100, (count, 8, 8, 3))
    pixels[np.arange(count), :, :, labels] += int(150 * weight)
    return pixels.astype(np.uint8), labels


def write_data(folder: Path, **changes: Any) -> str:
    (x_train, y_train), (x_test, y_test) = colours(90, 0), colours(30, 1)
    content = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    np.savez(folder / "colours.npz", **{**content, **changes})
    return str(folder / "colours.npz")


def colour_network() -> torch.nn.Module:
    """Tells colours apart by hand: the stem and the classifier pass their means on."""
    model = build("cifar_resnet", ARGUMENTS, seed=0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.zero_()
        stem = next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d))
        for channel in range(3):
            stem.weight[channel, channel, 1, 1] = 1
            model.fc.weight[channel, channel] = 1
    return model


def opened(folder: Path, model: torch.nn.Module, data: str, known: bool = False) -> Opened:
    """The root that the engine makes of the network; a bare state_dict unless it is `known`."""
    path = folder / "net.pt"
    if known:
        about = DataDescription("x", ("0", "1", "2"), mean=(0.5,) * 3, std=(0.2,) * 3)
        architecture = Architecture("cifar_resnet", ARGUMENTS)
        checkpoint.save(path, architecture, model.state_dict(), about, {})
    else:
        torch.save(model.state_dict(), path)
    job = OpenRoot(FileRef(path.name, "0" * 64), device="cpu")
    request = JobRequest("open", job, places=Places(data=data, checkpoint=str(path)))
    root = Engine(folder / "spool").run(request, SILENT)
    assert isinstance(root, Opened)
    return root


def test_every_preset_is_tried_and_the_best_one_taken(tmp_path):
    root = opened(tmp_path, colour_network(), write_data(tmp_path))
    (note,) = (note for note in root.notes if "names no normalisation" in note)
    assert all(name in note for name, (mean, _) in preset_normalisations().items()
               if len(mean) == 3)  # fmt: skip
    assert f"took {root.data.normalisation}, the best of" in note
    assert root.metrics["val_accuracy"] == 100
    assert not any("chance" in note for note in root.notes)


def test_what_a_network_takes_is_told_before_its_data_are_known(tmp_path):
    told: list[EngineEvent] = []
    path = tmp_path / "net.pt"
    torch.save(colour_network().state_dict(), path)
    job = OpenRoot(FileRef(path.name, "0" * 64), device="cpu")
    request = JobRequest("open", job, places=Places(checkpoint=str(path)))
    with pytest.raises(DataNotNamedError):
        Engine(tmp_path / "spool").run(request, Monitor(told.append))
    (network,) = [event for event in told if isinstance(event, NetworkRead)]
    assert network == NetworkRead(in_channels=3, num_classes=3)
    assert network.takes(3, 3) and not network.takes(1, 3) and not network.takes(3, 10)


def test_a_network_that_only_guesses_is_told_of_at_once(tmp_path):
    guessing = build("cifar_resnet", ARGUMENTS, seed=0)
    torch.nn.init.zeros_(guessing.fc.weight)
    root = opened(tmp_path, guessing, write_data(tmp_path))
    assert any("is no better than chance (33.3 %)" in note for note in root.notes)


def test_a_network_of_ours_keeps_its_normalisation_and_is_measured_too(tmp_path):
    guessing = build("cifar_resnet", ARGUMENTS, seed=0)
    torch.nn.init.zeros_(guessing.fc.weight)
    root = opened(tmp_path, guessing, write_data(tmp_path), known=True)
    assert root.data.normalisation == "checkpoint"
    assert any("is no better than chance (33.3 %)" in note for note in root.notes)


def test_test_images_that_were_trained_on_are_counted(tmp_path):
    x_train, _ = colours(90, 0)
    x_test, _ = colours(30, 1)
    x_test[:7] = x_train[:7]
    root = opened(tmp_path, colour_network(), write_data(tmp_path, x_test=x_test))
    assert any("7 of the 30 test images" in note for note in root.notes)
    clean = opened(tmp_path, colour_network(), write_data(tmp_path))
    assert not any("test images" in note for note in clean.notes)


@pytest.mark.parametrize(("changes", "words"), [
    ({"y_train": np.arange(90) % 4, "y_test": np.arange(30) % 4},
     "tells 3 classes apart, colours has 4; give the data it was trained on"),
    ({"x_train": colours(90, 0)[0][..., :1], "x_test": colours(30, 0)[0][..., :1]},
     "takes images of 3 channels, colours has 1"),
])  # fmt: skip
def test_data_of_another_kind_are_refused(tmp_path, changes, words):
    with pytest.raises(DataError, match=words):
        opened(tmp_path, colour_network(), write_data(tmp_path, **changes))
