"""Training a network from scratch, resumable after every epoch: what `pe-explore train` does."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from engine.checkpoints import write as checkpoint
from engine.contracts import seeds
from engine.contracts.errors import CheckpointError
from engine.data import ImageData
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.models import build
from engine.runtime.device import Execution, fingerprint
from engine.runtime.progress import SILENT, Monitor
from engine.training.finetune import (
    EpochFigures,
    TrainPlan,
    optimiser_of,
    train,
)


@dataclass(frozen=True)
class Recipe:
    """How to train from scratch: one-cycle SGD (linear up for a fifth of the epochs, then down)."""

    epochs: int
    learning_rate: float = 0.1
    batch_size: int = 128
    weight_decay: float = 5e-4
    seed: int = 0

    def plan(self, first_epoch: int, last_epoch: int) -> TrainPlan:
        return TrainPlan(
            first_epoch=first_epoch,
            last_epoch=last_epoch,
            total_epochs=self.epochs,
            seed=seeds.derive(self.seed, "train"),
            learning_rate=self.learning_rate,
            schedule="one-cycle",
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
        )


def train_network(
    architecture: dict[str, Any],
    data: ImageData,
    recipe: Recipe,
    execution: Execution,
    destination: Path,
    *,
    monitor: Monitor = SILENT,
) -> dict[str, Any]:
    """Trains, measures and writes a checkpoint; returns its metrics.

    After every epoch the state goes to `<destination>.partial.pt`; a later call with the same
    recipe goes on from there. Raises CheckpointError when that file belongs to another recipe.
    """
    model = build(
        architecture["factory"],
        architecture["arguments"],
        seed=seeds.derive(recipe.seed, "weights"),
    )
    model.to(device=execution.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = optimiser_of(model, recipe.plan(0, recipe.epochs))
    partial = destination.with_name(destination.name + ".partial.pt")
    identity = {"architecture": architecture, "recipe": asdict(recipe), "data": data.digest}
    history = _resume(partial, identity, model, optimiser)
    if history:
        monitor.tell("resumed", epoch=len(history), total_epochs=recipe.epochs, path=str(partial))

    def keep_state(figures: EpochFigures) -> None:
        history.append(figures.as_dict())
        state = {"identity": identity, "history": history,
                 "model": model.state_dict(), "optimiser": optimiser.state_dict()}  # fmt: skip
        checkpoint.write_atomically(partial, lambda path: torch.save(state, path))

    train(model, data, recipe.plan(len(history), recipe.epochs), execution,
          monitor=monitor, optimiser=optimiser, after_epoch=keep_state)  # fmt: skip
    validation = evaluate(model, data.validation, data, execution, monitor=monitor)
    test = evaluate(model, data.test, data, execution, monitor=monitor)
    cost = cost_of(model, data.image_shape_HWC)
    metrics = {
        "val_accuracy": validation.accuracy,
        "test_accuracy": test.accuracy,
        "macs": cost.num_macs,
        "params": cost.num_params,
        "recipe": asdict(recipe),
        "environment": fingerprint(execution),
    }
    checkpoint.save(destination, architecture, model.state_dict(), data.describe(), metrics)
    os.remove(partial) if partial.exists() else None
    return metrics


def _resume(
    partial: Path,
    identity: dict[str, Any],
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
) -> list[dict[str, Any]]:
    if not partial.exists():
        return []
    state = torch.load(partial, weights_only=True, map_location="cpu")
    if state["identity"] != identity:
        raise CheckpointError(
            f"{partial.name} holds a training with other settings; delete it to start anew, "
            "or repeat the settings it was started with"
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["history"])
