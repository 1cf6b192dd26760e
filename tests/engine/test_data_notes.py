"""What is noted of data reaches the person once, and the run for good."""

from __future__ import annotations

import torch
from data_files import image_folder, pixels

from engine.contracts.events import Noted
from engine.contracts.jobs import (
    JobRequest,
    Opened,
    OpenRoot,
    Places,
    Recipe,
    TrainFromScratch,
)
from engine.contracts.networks import FileRef
from engine.models import build
from engine.runtime.progress import Monitor
from engine.worker.engine import Engine

ARGUMENTS = {
    "stem_width": 4, "stage_widths": [4], "inner_widths": [[4]], "shortcut": "A",
    "conv_bias": False, "num_classes": 2, "in_channels": 3,
}  # fmt: skip


def odd_folder(tmp_path) -> str:
    """Data of which there are two things to say: one before decoding, one after."""
    folder = image_folder(tmp_path / "odd", ("Train", "test"))
    pixels(1, "L").save(folder / "Train/cat/000.png")
    return str(folder)


def expected(notes) -> bool:
    words = " | ".join(notes)
    return "'Train/' is taken as train/" in words and "grey among 23 images in colour" in words


def told_by(tmp_path, job, places: Places):
    events: list = []
    result = Engine(tmp_path / "spool").run(
        JobRequest("one", job, places=places), Monitor(events.append)
    )
    return result, [event.text for event in events if isinstance(event, Noted)]


def test_a_root_is_opened_with_the_notes_of_its_data_also_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "net.pt"
    torch.save(build("cifar_resnet", ARGUMENTS, seed=0).state_dict(), path)
    places = Places(data=odd_folder(tmp_path), checkpoint=str(path))
    for _ in ("decoded", "from the cache"):
        job = OpenRoot(FileRef(path.name, "0" * 64), device="cpu")
        root, told = told_by(tmp_path, job, places)
        assert isinstance(root, Opened)
        assert expected(root.notes) and expected(told)
        assert len(told) == len(set(told))


def test_training_from_scratch_tells_the_notes_of_its_data(tmp_path):
    job = TrainFromScratch("resnet8", Recipe(1, batch_size=8), width=4, device="cpu", threads=1)
    places = Places(data=odd_folder(tmp_path), output=str(tmp_path / "net.pt"))
    _, told = told_by(tmp_path, job, places)
    assert expected(told)
