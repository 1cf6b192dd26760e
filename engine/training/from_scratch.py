"""Training a network, resumable after every epoch: what `pe-explore train` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.checkpoints import write as checkpoint
from engine.contracts import seeds
from engine.contracts.codec import encode, encode_object
from engine.contracts.errors import CheckpointError
from engine.contracts.events import TrainingResumed
from engine.contracts.files import write_atomically
from engine.contracts.jobs import Epoch, Recipe
from engine.contracts.networks import Architecture, Execution
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.runtime.device import environment_of, torch_device
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Task, examples
from engine.training.finetune import train
from engine.training.memory_format import training_format
from engine.training.plan import TrainPlan, optimiser_of, plan_of


@dataclass(frozen=True, eq=False)
class Beginning:
    """A network before its training; `weights` is the SHA-256 of the file that its weights are
    from, empty where they are random."""

    architecture: Architecture
    model: nn.Module
    weights: str = ""


def train_network(
    beginning: Beginning,
    task: Task,
    recipe: Recipe,
    execution: Execution,
    destination: Path,
    *,
    monitor: Monitor = SILENT,
) -> dict[str, float]:
    """Trains, measures and writes a checkpoint; returns its metrics.

    After every epoch the state goes to `<destination>.partial.pt`; a later call with the same
    recipe goes on from there. Raises CheckpointError when that file belongs to another recipe.
    """
    architecture, model = beginning.architecture, beginning.model
    memory = training_format(model)
    model.to(device=torch_device(execution), memory_format=memory)  # type: ignore[call-overload]
    seed = seeds.derive(recipe.seed, "train")

    def plan_from(first_epoch: int) -> TrainPlan:
        epochs = range(first_epoch, recipe.epochs)
        return plan_of(recipe, epochs, total_epochs=recipe.epochs, seed=seed)

    optimiser = optimiser_of(model, plan_from(0))
    partial = destination.with_name(destination.name + ".partial.pt")
    identity = {
        "architecture": encode(architecture),
        "recipe": encode(recipe),
        "data": task.describe().digest,
        "weights": beginning.weights,
    }
    history = _resume(partial, identity, model, optimiser)
    if history:
        monitor.tell(TrainingResumed(len(history), recipe.epochs))

    def keep_state(figures: Epoch) -> None:
        history.append(encode_object(figures))
        state = {"identity": identity, "history": history,
                 "model": model.state_dict(), "optimiser": optimiser.state_dict()}  # fmt: skip
        write_atomically(partial, lambda path: torch.save(state, path))

    train(model, task, plan_from(len(history)), execution,
          monitor=monitor, optimiser=optimiser, after_epoch=keep_state)  # fmt: skip
    metrics = _measured(model, task, execution, monitor)
    made = {"recipe": encode(recipe), "environment": encode(environment_of(execution))}
    checkpoint.save(
        destination, architecture, model.state_dict(), task.describe(), {**metrics, **made}
    )
    partial.unlink(missing_ok=True)
    return metrics


def _measured(
    model: nn.Module, task: Task, execution: Execution, monitor: Monitor
) -> dict[str, float]:
    validation = evaluate(model, task, "validation", execution, monitor=monitor)
    test = evaluate(model, task, "test", execution, monitor=monitor)
    cost = cost_of(model, examples(task, 1))
    return {
        "val_accuracy": validation.accuracy,
        "test_accuracy": test.accuracy,
        "macs": cost.num_macs,
        "params": cost.num_params,
    }


def _resume(
    partial: Path,
    identity: dict[str, Any],
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> list[dict[str, Any]]:
    if not partial.exists():
        return []
    state = torch.load(partial, weights_only=True, map_location="cpu")
    # Earlier versions wrote fewer settings: what they did is the default of the others.
    begun = {"weights": "", **state["identity"]}
    if {**begun, "recipe": {**encode_object(Recipe(0)), **begun["recipe"]}} != identity:
        raise CheckpointError(
            f"{partial.name} holds a training with other settings; delete it to start anew, "
            "or repeat the settings it was started with"
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["history"])
