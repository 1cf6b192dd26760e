"""What a training is to do: its epochs, learning rates, optimiser and what is done to batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.contracts.jobs import Recipe
from engine.contracts.setting_sections import TrainingSettings


@dataclass(frozen=True)
class TrainPlan:
    """Epochs [first_epoch, last_epoch) of a schedule of `total_epochs`.

    The paper's fine-tuning: SGD, Nesterov momentum 0.9, learning rate 0.01, batches of 128,
    divided by ten at half and again at three quarters of the epochs (`step`). `accumulate` cuts a
    batch into so many parts that go through the network one after the other, for one step;
    `frozen_norms` keeps the running statistics of batch norms as they are, and uses them.
    It ends after `most_steps` steps, wherever that is; a gradient that is longer than `clip_norm`
    is shortened to it (0: none is); with `own_schedule` these epochs are all of a schedule.
    """

    first_epoch: int
    last_epoch: int
    total_epochs: int
    seed: int
    learning_rate: float = 0.01
    schedule: str = "step"
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    optimiser: str = "sgd"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    accumulate: int = 1
    frozen_norms: bool = False
    most_steps: int | None = None
    clip_norm: float = 0.0
    own_schedule: bool = False

    def learning_rate_at(self, epoch: int, share: float) -> float:
        """The learning rate `share` of the way through an epoch."""
        total = self.total_epochs
        if self.own_schedule:
            epoch, total = epoch - self.first_epoch, self.last_epoch - self.first_epoch
        rate = self.learning_rate * SCHEDULES[self.schedule](epoch, share, total)
        if self.warmup_epochs > 0:
            rate *= min(1.0, (epoch + share) / self.warmup_epochs + WARMUP_START)
        return rate


def plan_of(
    how: TrainingSettings | Recipe, epochs: range, *, total_epochs: int, seed: int
) -> TrainPlan:
    """The plan of some epochs of a schedule, trained as settings or a recipe say."""
    return TrainPlan(
        first_epoch=epochs.start,
        last_epoch=epochs.stop,
        total_epochs=total_epochs,
        seed=seed,
        learning_rate=how.learning_rate,
        schedule=how.schedule,
        batch_size=how.batch_size,
        weight_decay=how.weight_decay,
        optimiser=how.optimiser,
        warmup_epochs=how.warmup_epochs,
        label_smoothing=how.label_smoothing,
        mixup=how.mixup,
        accumulate=how.accumulate,
        frozen_norms=how.norms == "frozen",
    )


WARMUP_START = 0.01  # of the learning rate: nothing is learnt from a batch at 0


def _step(epoch: int, share: float, total: int) -> float:
    """By whole epochs: a tenth from half of them on, a hundredth from three quarters on."""
    passed = epoch / total
    return 0.01 if passed >= 0.75 else 0.1 if passed >= 0.5 else 1


def _one_cycle(epoch: int, share: float, total: int) -> float:
    """Linear up for a fifth of the epochs, then down (Smith and Topin, 2019)."""
    progress = (epoch + share) / total
    return min(progress / 0.2, (1 - progress) / 0.8)


def _cosine(epoch: int, share: float, total: int) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, 2017)."""
    return 0.5 * (1 + math.cos(math.pi * (epoch + share) / total))


SCHEDULES: Mapping[str, Callable[[int, float, int], float]] = {
    "step": _step,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
}


def optimiser_of(model: nn.Module, plan: TrainPlan) -> torch.optim.Optimizer:
    """The optimiser of a plan for what is trained, fused where the parameters' device has it."""
    return OPTIMISERS[plan.optimiser](model, plan)


def _sgd(model: nn.Module, plan: TrainPlan) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum."""
    return torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=plan.learning_rate,
        momentum=plan.momentum,
        nesterov=plan.momentum > 0,
        weight_decay=plan.weight_decay,
        fused=True,
    )


def _adamw(model: nn.Module, plan: TrainPlan) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay, of matrices and kernels only (Loshchilov and Hutter)."""
    trained = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in trained if p.dim() > 1]
    others = [p for p in trained if p.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=plan.learning_rate,
        weight_decay=plan.weight_decay,
        fused=True,
    )


OPTIMISERS: Mapping[str, Callable[[nn.Module, TrainPlan], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adamw": _adamw,
}
