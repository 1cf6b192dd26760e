"""Fine-tuning and training. Shape legend: B images, C channels, H height, W width, K classes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.events import EpochEnded
from engine.contracts.jobs import Epoch
from engine.contracts.networks import Execution
from engine.data import Augmenter, ImageData
from engine.models.cifar_resnet import CifarResNet
from engine.runtime.device import torch_device
from engine.runtime.generators import generator
from engine.runtime.progress import SILENT, Monitor, Running
from engine.training.batches import batches_of
from engine.training.plan import TrainPlan, optimiser_of
from engine.training.step import freeze_norms, step


class DivergedError(EngineError):
    """A loss that is no longer a finite number."""


def train(
    model: nn.Module,
    data: ImageData,
    plan: TrainPlan,
    execution: Execution,
    *,
    monitor: Monitor = SILENT,
    phase: str = "training",
    optimiser: torch.optim.Optimizer | None = None,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Trains `model` in place and returns its figures an epoch.

    Same plan, data, execution and machine: same bits. Raises EngineError where batches are too
    small for the network, DivergedError, Cancelled.
    """
    device = torch_device(execution)
    batches = batches_of(model, data, plan.batch_size)
    memory = torch.channels_last if isinstance(model, CifarResNet) else torch.contiguous_format
    model.to(device=device, memory_format=memory).train()  # type: ignore[call-overload]
    if plan.frozen_norms:
        freeze_norms(model)
    optimiser = optimiser or optimiser_of(model, plan)
    augmenter = Augmenter(data.train.to(device), data.mean, data.std, data.flips)
    history = []
    for epoch in range(plan.first_epoch, plan.last_epoch):
        figures = _epoch(
            model, augmenter, batches, optimiser, plan, epoch, execution, monitor, phase
        )
        if not math.isfinite(figures.loss):
            raise DivergedError(
                f"the loss became {figures.loss} in epoch {epoch + 1} of {phase} at learning rate "
                f"{plan.learning_rate}; use a smaller --learning-rate"
            )
        history.append(figures)
        monitor.tell(EpochEnded(phase=phase, total_epochs=plan.total_epochs, **vars(figures)))
        if after_epoch is not None:
            after_epoch(figures)
    return history


def _epoch(
    model: nn.Module,
    augmenter: Augmenter,
    batches: Sequence[slice],
    optimiser: torch.optim.Optimizer,
    plan: TrainPlan,
    epoch: int,
    execution: Execution,
    monitor: Monitor,
    phase: str,
) -> Epoch:
    draw = generator(plan.seed, "epoch", epoch)
    num_images = len(augmenter.images)
    order_N = torch.randperm(num_images, generator=draw)
    device = torch_device(execution)
    # Sums stay on the device: reading them every step would make a GPU wait.
    loss_sum = torch.zeros((), device=device, dtype=torch.float64)
    correct = torch.zeros((), device=device, dtype=torch.int64)
    started = time.perf_counter()
    steps_before = (epoch - plan.first_epoch) * num_images
    steps_in_all = (plan.last_epoch - plan.first_epoch) * num_images
    rate = plan.learning_rate
    for batch in batches:
        indices_B = order_N[batch]
        rate = plan.learning_rate_at(epoch, batch.start / num_images)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images_BCHW, labels_B = augmenter.batch(indices_B, draw)
        loss, right = step(model, images_BCHW, labels_B, optimiser, plan, execution, draw)
        loss_sum += loss.double() * len(labels_B)
        correct += right
        done = batch.start + len(indices_B)
        monitor.step(
            phase,
            steps_before + done,
            steps_in_all,
            partial(_running, plan, epoch, loss_sum, correct, done, num_images, started),
        )
    return Epoch(
        epoch=epoch,
        loss=float(loss_sum) / num_images,
        accuracy=100 * int(correct) / num_images,
        learning_rate=rate,
        images_per_second=round(num_images / (time.perf_counter() - started), 1),
    )


def _running(
    plan: TrainPlan,
    epoch: int,
    loss_sum: Tensor,
    correct: Tensor,
    done: int,
    num_images: int,
    started: float,
) -> Running:
    """The epoch's figures so far. Waits for the device."""
    return Running(
        epoch=epoch + 1,
        last_epoch=plan.last_epoch,
        epoch_share=round(done / num_images, 4),
        loss=round(float(loss_sum) / done, 5),
        accuracy=round(100 * int(correct) / done, 3),
        images_per_second=round(done / (time.perf_counter() - started), 1),
    )
