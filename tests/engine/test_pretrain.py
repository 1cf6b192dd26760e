from __future__ import annotations

import pytest
import torch
from networks import CPU, small_data

from engine.contracts import seeds
from engine.contracts.errors import CheckpointError
from engine.contracts.events import EngineEvent, EpochEnded, Progress, TrainingResumed
from engine.contracts.jobs import Recipe
from engine.models import architecture_of_name, build
from engine.runtime.progress import Monitor
from engine.tasks import ImageTask
from engine.training.from_scratch import Beginning, train_network


class Interrupted(Exception):
    pass


def interrupt_after(epochs: int) -> Monitor:
    def emit(event):
        if isinstance(event, Progress) and (event.epoch or 0) > epochs:
            raise Interrupted

    return Monitor(emit)


def test_a_training_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path):
    task, architecture = (
        ImageTask(small_data()),
        architecture_of_name("resnet8", width=4, num_classes=3),
    )

    def begin():
        seed = seeds.derive(0, "weights")
        model = build(architecture.factory, architecture.arguments, seed=seed)
        return Beginning(architecture, model)

    recipe = Recipe(epochs=3, batch_size=8)
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    train_network(begin(), task, recipe, CPU, whole)
    with pytest.raises(Interrupted):
        train_network(begin(), task, recipe, CPU, parts, monitor=interrupt_after(2))
    assert not parts.exists() and (tmp_path / "parts.pt.partial.pt").exists()
    with pytest.raises(CheckpointError, match="other settings"):
        train_network(begin(), task, Recipe(epochs=4, batch_size=8), CPU, parts)
    told: list[EngineEvent] = []
    train_network(begin(), task, recipe, CPU, parts, monitor=Monitor(told.append))
    assert told[0] == TrainingResumed(epoch=2, total_epochs=3)
    assert [each.epoch for each in told if isinstance(each, EpochEnded)] == [2]
    weights = [torch.load(p, weights_only=True)["state_dict"] for p in (whole, parts)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["parts.pt", "whole.pt"]
