"""Fine-tuning and training. Shape legend: B images, C channels, H height, W width, K classes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.events import EpochEnded
from engine.contracts.jobs import Epoch
from engine.contracts.networks import Execution
from engine.data import Augmenter, ImageData
from engine.models.cifar_resnet import CifarResNet
from engine.models.outputs import output_of
from engine.runtime.device import autocast_dtype, torch_device
from engine.runtime.generators import generator
from engine.runtime.progress import SILENT, Monitor, Running
from engine.training.batches import batches_of

_NOT_DETERMINISTIC = "does not have a deterministic implementation"


class DivergedError(EngineError):
    """A loss that is no longer a finite number."""


@dataclass(frozen=True)
class TrainPlan:
    """Epochs [first_epoch, last_epoch) of a schedule of `total_epochs`.

    The paper's fine-tuning: SGD, Nesterov momentum 0.9, learning rate 0.01, batches of 128,
    divided by ten at half and again at three quarters of the epochs (`step`).
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

    def learning_rate_at(self, epoch: int, share: float) -> float:
        """The learning rate `share` of the way through an epoch."""
        if self.schedule == "step":
            passed = epoch / self.total_epochs
            return self.learning_rate * (0.01 if passed >= 0.75 else 0.1 if passed >= 0.5 else 1)
        progress = (epoch + share) / self.total_epochs  # one-cycle: up for a fifth, then down
        return self.learning_rate * min(progress / 0.2, (1 - progress) / 0.8)


def optimiser_of(model: nn.Module, plan: TrainPlan) -> torch.optim.SGD:
    """SGD with Nesterov momentum, fused where the parameters' device has it."""
    return torch.optim.SGD(
        model.parameters(),
        lr=plan.learning_rate,
        momentum=plan.momentum,
        nesterov=plan.momentum > 0,
        weight_decay=plan.weight_decay,
        fused=True,
    )


def train(
    model: nn.Module,
    data: ImageData,
    plan: TrainPlan,
    execution: Execution,
    *,
    monitor: Monitor = SILENT,
    phase: str = "training",
    optimiser: torch.optim.SGD | None = None,
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
    optimiser: torch.optim.SGD,
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
        loss, logits_BK = _step(model, images_BCHW, labels_B, optimiser, execution)
        loss_sum += loss.detach().double() * len(labels_B)
        correct += (logits_BK.argmax(1) == labels_B).sum()
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


def _step(
    model: nn.Module,
    images_BCHW: Tensor,
    labels_B: Tensor,
    optimiser: torch.optim.SGD,
    execution: Execution,
) -> tuple[Tensor, Tensor]:
    """One step of the optimiser; the loss and the logits."""
    if not isinstance(model, CifarResNet):
        # A network that views its maps as rows bears no other order in memory.
        images_BCHW = images_BCHW.contiguous()
    device = torch_device(execution)
    with torch.autocast(
        device.type, dtype=autocast_dtype(execution), enabled=execution.autocast is not None
    ):
        logits_BK = output_of(model(images_BCHW))
    loss = F.cross_entropy(logits_BK.float(), labels_B)
    optimiser.zero_grad(set_to_none=True)
    try:
        loss.backward()
    except RuntimeError as error:
        if _NOT_DETERMINISTIC not in str(error):
            raise
        operation = str(error).split(_NOT_DETERMINISTIC)[0].strip()
        raise EngineError(
            f"the network cannot be trained on {device} bit for bit: {operation} has no "
            "deterministic form there; use --device cpu"
        ) from error
    optimiser.step()
    return loss, logits_BK


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
