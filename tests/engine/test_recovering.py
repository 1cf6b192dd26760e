"""Jobs of recovery and tuning with every setting of theirs, as a worker does them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from engine.contracts.edits import Edit
from engine.contracts.errors import EngineError
from engine.contracts.events import Noted
from engine.contracts.jobs import (
    JobRequest,
    Opened,
    OpenRoot,
    Places,
    Recover,
    Recovered,
    Tune,
    snapshots_needed,
)
from engine.contracts.methods import RECOVERIES, REPAIRS
from engine.contracts.networks import Architecture, DataRef, Execution, FileRef, NetworkRef
from engine.contracts.setting_sections import SimilaritySettings, TrainingSettings
from engine.contracts.spool import snapshot_path
from engine.data import load
from engine.measures import latency
from engine.models import build
from engine.runtime.progress import Monitor
from engine.tasks import ImageTask
from engine.training.finetune import train
from engine.training.plan import TrainPlan
from engine.worker.engine import Engine

ARGUMENTS = {"stem_width": 4, "stage_widths": [4, 6], "inner_widths": [[4, 4, 4], [6, 5]],
             "shortcut": "A", "conv_bias": False, "num_classes": 3, "in_channels": 3}  # fmt: skip
CPU = Execution("cpu", 1, None)
UNITS = Edit("filter", units=(("layer1.0.conv1", (0, 3)), ("layer2.1.conv1", (1,))))
BLOCK = Edit("layer", blocks=("layer1.2",))


class Bench:
    """A root, and the candidates that jobs make of it."""

    def __init__(self, folder) -> None:
        random = np.random.default_rng(0)
        labels = np.arange(60) % 3
        pixels = random.integers(0, 100, (60, 8, 8, 3), dtype=np.uint8)
        pixels += (60 * labels[:, None, None, None]).astype(np.uint8)
        np.savez(folder / "noise.npz", x_train=pixels, y_train=labels, x_test=pixels,
                 y_test=labels)  # fmt: skip
        root_network = build("cifar_resnet", ARGUMENTS, seed=1)
        task = ImageTask(load(str(folder / "noise.npz")))
        plan = TrainPlan(0, 8, 8, seed=0, learning_rate=0.05, batch_size=16)
        train(root_network, task, plan, CPU)
        torch.save(root_network.state_dict(), folder / "net.pt")
        self.known: dict[Any, Recovered] = {}
        self.engine = Engine(folder / "spool")
        self.places = Places(str(folder / "noise.npz"), str(folder / "net.pt"))
        root = self.do(OpenRoot(FileRef("net.pt", "ef" * 32), device="cpu"))
        assert isinstance(root, Opened)
        self.root = NetworkRef(root.architecture, root.snapshot)
        self.data = DataRef(root.data.digest, root.data.mean, root.data.std)

    def do(self, job: Any, monitor: Monitor | None = None) -> Any:
        return self.engine.run(JobRequest("x", job, places=self.places), monitor or Monitor())

    def usual(self, **training) -> Recovered:
        """The candidate by settings that are as usual, but for these; made once."""
        key = tuple(training.items())
        if key not in self.known:
            self.known[key] = self.recovered(**training)[0]
        return self.known[key]

    def recovered(self, edit: Edit = UNITS, teacher=None, **training) -> tuple[Recovered, str]:
        """A candidate, and what was noted."""
        told: list[Any] = []
        how = TrainingSettings(**{"recovery_epochs": 1, "tune_epochs": 2, "batch_size": 16,
                                  **training})  # fmt: skip
        job = Recover(self.root, edit, self.data, CPU, how, SimilaritySettings(num_resamples=2),
                      2, 3, teacher)  # fmt: skip
        found = self.do(job, Monitor(told.append))
        return found, " ".join(each.text for each in told if isinstance(each, Noted))

    def weights(self, found) -> dict[str, torch.Tensor]:
        path = snapshot_path(self.engine.bench.spool, found.snapshot.sha256)
        return safetensors.torch.load(path.read_bytes())


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "MEASURING_SECONDS", 0.01)  # which is of no interest here
        yield Bench(tmp_path_factory.mktemp("bench"))


SETTINGS = [
    *({"repair": name} for name in REPAIRS if name != "none"),
    *({"recover": name} for name in RECOVERIES if name not in ("full", "lr-rewind")),
    {"recover": "lr-rewind", "recovery_epochs": 2, "tune_epochs": 3},
    {"distill": "parent"},
    {"distill": "parent:features"},
    {"train_subset": "random:0.5"},
    {"train_subset": "el2n:0.5"},
    {"recovery_steps": 1},
    {"clip_norm": 0.1},
    {"schedule": "one-cycle"},
    {"recover": "lora:1", "distill": "parent:features", "repair": "bias", "clip_norm": 1.0,
     "train_subset": "el2n", "hopeless": 0.0, "recovery_epochs": 3, "schedule": "one-cycle"},
]  # fmt: skip


@pytest.mark.parametrize("training", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))
def test_every_setting_changes_the_candidate_and_gives_the_same_bits_again(bench, training):
    (one, _), (again, _) = bench.recovered(**training), bench.recovered(**training)
    epochs = {k: v for k, v in training.items() if k.endswith("epochs")}
    usual = bench.usual(**epochs)
    assert one.snapshot == again.snapshot != usual.snapshot
    assert one.metrics["similarity"] == again.metrics["similarity"]
    shapes = {name: tensor.shape for name, tensor in bench.weights(usual).items()}
    assert {name: tensor.shape for name, tensor in bench.weights(one).items()} == shapes


@pytest.mark.parametrize("name", REPAIRS)
def test_both_candidates_are_mended_or_left_with_a_word(bench, name):
    for edit in (UNITS, BLOCK):
        found, told = bench.recovered(edit, repair=name, recovery_epochs=0)
        plain, _ = bench.recovered(edit, recovery_epochs=0)
        is_left = name == "none" or (name == "obs" and edit is BLOCK)
        assert (found.snapshot == plain.snapshot) == is_left
        assert ("left as it is" in told) == (is_left and name != "none")
        assert found.metrics["val_accuracy"] == found.metrics["val_accuracy_before"]


def test_a_hopeless_recovery_ends_halfway_in_words_and_the_candidate_is_measured(bench):
    slow = {"recovery_epochs": 4, "tune_epochs": 4, "learning_rate": 1e-9, "recover": "scratch"}
    given_up, told = bench.recovered(hopeless=20.0, **slow)
    assert len(given_up.epochs) == 2 and 0 <= given_up.metrics["val_accuracy"] <= 50
    assert "its recovery ends after 2 of 4 epochs: its validation accuracy is " in told
    assert "points below its parent's (--hopeless 20)" in told
    to_the_end, nothing = bench.recovered(hopeless=100.0, **slow)
    assert len(to_the_end.epochs) == 4 and nothing == ""
    adapted, nothing = bench.recovered(hopeless=99.0, **{**slow, "recover": "lora"})
    assert len(adapted.epochs) == 4 and nothing == ""


def test_the_root_teaches_where_it_is_named_and_its_weights_are_asked_for(bench):
    child, _ = bench.recovered(distill="none")
    made = Architecture(bench.root.architecture.factory, ARGUMENTS, (UNITS,))
    child_ref = NetworkRef(made, child.snapshot)
    training = {"recovery_epochs": 1, "tune_epochs": 2, "batch_size": 16}

    def tuned(distill: str, teacher: NetworkRef | None):
        job = Tune(child_ref, bench.data, CPU, TrainingSettings(distill=distill, **training), 4,
                   teacher)  # fmt: skip
        assert snapshots_needed(job)[1:] == (() if teacher is None else (teacher.snapshot,))
        return bench.do(job).snapshot

    by_root, by_itself, alone = (
        tuned("root", bench.root), tuned("root", child_ref), tuned("none", None)
    )  # fmt: skip
    assert len({by_root, by_itself, alone}) == 3 and tuned("root", bench.root) == by_root
    with pytest.raises(EngineError, match="--distill parent: the job names no teacher"):
        tuned("parent", None)
    # Of a candidate the parent is at hand: named as the teacher, it is the same.
    one, other = (bench.recovered(distill="parent", teacher=t)[0] for t in (None, bench.root))
    assert one.snapshot == other.snapshot


def test_tuning_is_full_whatever_was_trained_to_compare(bench):
    found, _ = bench.recovered(recover="head")
    made = Architecture(bench.root.architecture.factory, ARGUMENTS, (UNITS,))
    training = TrainingSettings(recovery_epochs=1, tune_epochs=2, batch_size=16, recover="head",
                                train_subset="random:0.1", recovery_steps=1)  # fmt: skip
    tuned = bench.do(Tune(NetworkRef(made, found.snapshot), bench.data, CPU, training, 4))
    before, after = bench.weights(found), bench.weights(tuned)
    learnt = [name for name in before if name.endswith(("weight", "bias"))]
    assert all(not torch.equal(before[name], after[name]) for name in learnt)
    usual = TrainingSettings(recovery_epochs=1, tune_epochs=2, batch_size=16)
    again = bench.do(Tune(NetworkRef(made, found.snapshot), bench.data, CPU, usual, 4))
    assert again.snapshot == tuned.snapshot
