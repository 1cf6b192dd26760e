"""Training networks on a person's own task, from random weights or those of a file."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from networks import CPU
from task_networks import LENGTH, VOCABULARY, windows
from torch import nn
from torchvision import models

from engine.checkpoints import CheckpointError, load
from engine.contracts.errors import DataError, UnknownFamilyError
from engine.contracts.events import EpochEnded, Noted, Progress, TrainingResumed
from engine.contracts.jobs import OpenRoot, Places, Recipe, TrainFromScratch
from engine.contracts.networks import FileRef, Reading
from engine.contracts.references import ForeignFactoryError, factory_here
from engine.runtime.progress import Monitor
from engine.tasks.arrays import ArrayTask
from engine.tasks.tokens import NextTokenTask
from engine.worker.roots import open_root
from engine.worker.training import train
from engine.worker.workbench import Workbench

SELF = __name__
WINDOWS, TABULAR = "task_networks:windows", f"{SELF}:Tabular"
LANGUAGE = "task_networks:Language"
RECIPE = Recipe(3, learning_rate=0.02, batch_size=16)


class Tabular(nn.Module):
    """Windows (B, 4, 5) to three classes."""

    def __init__(self):
        super().__init__()
        self.up, self.down, self.fc = nn.Linear(5, 8), nn.Linear(8, 5), nn.Linear(5, 3)

    def forward(self, x):
        x = x + self.down(self.up(x).relu())
        return self.fc(x.mean(1))


def patterns():
    """Images as a task of a person's, of four classes."""
    random, y = np.random.default_rng(0), np.arange(24) % 4
    x = random.normal(size=(24, 3, 32, 32)) + y[:, None, None, None]
    return ArrayTask("patterns", {f"{a}_{s}": v for a, v in (("x", x), ("y", y))
                                  for s in ("train", "val", "test")}, row="pattern")  # fmt: skip


class Interrupted(Exception):
    pass


def trained(folder, model, task, *, recipe=RECIPE, name="out.pt", weights="", emit=None, **told):
    """The checkpoint that a training writes, and what was told."""
    events = []
    places = Places(data=task, checkpoint=str(weights), output=str(folder / name),
                    task=factory_here(task))  # fmt: skip
    job = TrainFromScratch(model, recipe, **told)
    result = train(job, CPU, Workbench(folder / "spool"), places, Monitor(emit or events.append))
    return folder / name, result, events


def opened(folder, path, model, task):
    job = OpenRoot(FileRef(path.name, "0" * 64), arch=model)
    places = Places(data=task, checkpoint=str(path), task=factory_here(task))
    return open_root(job, CPU, Workbench(folder / "spool"), places, Monitor())


@pytest.mark.parametrize(("model", "task", "row"), [
    (TABULAR, WINDOWS, "window"), (LANGUAGE, f"{SELF}:turns", "token"),
])  # fmt: skip
def test_what_was_trained_on_a_task_opens_on_it_with_its_figures(tmp_path, model, task, row):
    path, result, events = trained(tmp_path, model, task, recipe=Recipe(20, 0.05, 16))
    assert {each.row for each in events if isinstance(each, EpochEnded)} == {row}
    assert result.data.row == row
    losses = [each.loss for each in events if isinstance(each, EpochEnded)]
    assert losses[-1] < 0.8 * losses[0]
    root = opened(tmp_path, path, model, task)
    assert root.data == result.data and root.doubts == ()
    for key in ("val_accuracy", "test_accuracy", "macs", "params"):
        assert root.metrics[key] == pytest.approx(result.metrics[key])


def test_figures_of_the_file_that_the_task_no_longer_gives_are_doubted(tmp_path):
    path, _, _ = trained(tmp_path, TABULAR, WINDOWS, recipe=Recipe(20, 0.05, 16))
    content = torch.load(path, weights_only=True)
    content["state_dict"] = {k: -v for k, v in content["state_dict"].items()}
    torch.save(content, path)
    codes = [doubt.code for doubt in opened(tmp_path, path, TABULAR, WINDOWS).doubts]
    assert "below-claim" in codes


def test_an_interrupted_training_ends_as_if_it_had_not_been_for_the_same_seed(tmp_path):
    whole, _, _ = trained(tmp_path, TABULAR, WINDOWS, name="whole.pt")

    def stop(event):
        if isinstance(event, Progress) and (event.epoch or 0) > 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        trained(tmp_path, TABULAR, WINDOWS, emit=stop)
    with pytest.raises(CheckpointError, match="other settings"):
        trained(tmp_path, f"{SELF}:Tabular", f"{SELF}:fewer")
    path, _, events = trained(tmp_path, TABULAR, WINDOWS)
    assert TrainingResumed(2, 3) in events
    other, _, _ = trained(tmp_path, TABULAR, WINDOWS, recipe=Recipe(3, 0.02, 16, seed=1), name="b")
    states = [torch.load(p, weights_only=True)["state_dict"] for p in (whole, path, other)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["up.weight"], states[2]["up.weight"])


def fewer():
    return windows(48)


def turns():
    """Tokens that go round, which is soon learnt."""
    return NextTokenTask("turns", np.arange(2000) % VOCABULARY, length=LENGTH,
                         num_tokens=VOCABULARY)  # fmt: skip


def test_a_checkpoint_goes_on_where_its_network_is_named_again(tmp_path):
    first, _, _ = trained(tmp_path, TABULAR, WINDOWS)
    still = Recipe(1, learning_rate=1e-9, weight_decay=0.0)
    path, _, _ = trained(tmp_path, TABULAR, WINDOWS, recipe=still, weights=first, name="more.pt")
    before, after = (load(p, arch=TABULAR).model.state_dict() for p in (first, path))
    assert all(torch.allclose(before[key], after[key], atol=1e-6) for key in before)
    with pytest.raises(CheckpointError, match=f"give --arch '{TABULAR}'"):
        trained(tmp_path, "", WINDOWS, weights=first, name="third.pt")


def test_weights_of_a_library_s_network_get_a_classifier_for_the_task(tmp_path):
    reference, own = "torchvision.models:shufflenet_v2_x0_5", f"{SELF}:patterns"
    torch.save(models.get_model("shufflenet_v2_x0_5").state_dict(), tmp_path / "imagenet.pth")
    still = Recipe(1, learning_rate=1e-9, batch_size=8, weight_decay=0.0, norms="frozen")
    path, _, events = trained(
        tmp_path, reference, own, recipe=still, weights=tmp_path / "imagenet.pth"
    )
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("for 4 classes: 'fc.weight', 'fc.bias' begin random" in note for note in notes)
    before = torch.load(tmp_path / "imagenet.pth", weights_only=True)["conv1.0.weight"]
    loaded = load(path)
    assert torch.allclose(loaded.model.state_dict()["conv1.0.weight"], before, atol=1e-6)
    assert loaded.data.classes == tuple("0123")
    untrained, _, _ = trained(tmp_path, reference, own, recipe=still, name="random.pt")
    assert load(untrained).architecture.arguments == {"num_classes": 4}


def five_classes():
    task = windows()
    arrays = {"x_train": np.zeros((30, 4, 5)), "y_train": np.arange(30) % 5}
    arrays |= {"x_test": arrays["x_train"], "y_test": arrays["y_train"]}
    return ArrayTask(task.describe().name, arrays, row="window")


@pytest.mark.parametrize(("model", "task", "error", "words"), [
    (TABULAR, f"{SELF}:five_classes", DataError,
     "for two items of sensors the network gives 2×3 numbers, and the task asks for 2×5"),
    (f"{SELF}:PerStep", WINDOWS, DataError, "gives 2×4×3 numbers, and the task asks for 2×3"),
    (TABULAR, "task_networks:text", DataError, "the network fails on two items of steps"),
    (TABULAR, f"{SELF}:nothing", UnknownFamilyError, "has no 'nothing'"),
    (TABULAR, TABULAR, DataError, r"has no describe\(\)"),
])  # fmt: skip
def test_networks_and_tasks_that_do_not_fit_are_told_and_nothing_is_written(
    tmp_path, model, task, error, words
):
    for weights in ("", tmp_path / "weights.pt"):
        torch.save(getattr(sys.modules[SELF], model.partition(":")[2])().state_dict(),
                   tmp_path / "weights.pt")  # fmt: skip
        with pytest.raises(error, match=words):
            trained(tmp_path, model, task, weights=weights)
    assert not list(tmp_path.glob("out.pt*"))


class PerStep(Tabular):
    """A score for each step, where one for each window is asked."""

    def forward(self, x):
        return self.fc(x)


def test_options_of_images_and_code_that_nobody_allowed_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"--image-size.* are for images .* leave them out"):
        trained(tmp_path, TABULAR, WINDOWS, reading=Reading(image_size=32))
    job, places = TrainFromScratch(TABULAR, RECIPE), Places(WINDOWS, output=str(tmp_path / "x.pt"))
    with pytest.raises(ForeignFactoryError, match="--allow-factory"):
        train(job, CPU, Workbench(tmp_path), places, Monitor())


@pytest.mark.parametrize(("line", "words"), [
    (["resnet20", "--task", WINDOWS], "with --task give a network by reference"),
    (["resnet20", "--arch", TABULAR], "says already what the network is; leave --arch out"),
    ([TABULAR, "--task", WINDOWS, "--data", "sample"], "give one of them"),
    ([TABULAR, "--task", "windows"], "give package.module:function"),
    ([TABULAR, "--task", "torchvision.models:resnet18"], "give package.module:function"),
    ([TABULAR, "--task", "nowhere:task"], "no file of the module 'nowhere'"),
    ([TABULAR, "--task", WINDOWS, "--width", "8"], "--width is for resnet20"),
])  # fmt: skip
def test_what_cannot_be_meant_is_told_before_any_work(line, words, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from explorer.cli.main import app
    from explorer.executors.worker_process import WorkerProcess

    monkeypatch.setattr(WorkerProcess, "ensure_started", lambda self: pytest.fail("began work"))
    ended = CliRunner().invoke(app, ["train", *line, "-o", str(tmp_path / "x.pt")])
    assert ended.exit_code in (1, 2) and words in " ".join(ended.output.split()), ended.output
