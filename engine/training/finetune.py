"""Fine-tuning and training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.events import EpochEnded
from engine.contracts.jobs import Epoch
from engine.contracts.networks import Execution
from engine.contracts.seeds import derive
from engine.runtime.device import torch_device
from engine.runtime.generators import generator, seeded
from engine.runtime.progress import SILENT, Monitor, Running
from engine.tasks import Batch, Task
from engine.training.batches import batch_sizes
from engine.training.distillation import Teacher
from engine.training.memory import SHORT_OF_MEMORY, is_short_of_memory, what_fits
from engine.training.memory_format import training_format
from engine.training.plan import TrainPlan, optimiser_of
from engine.training.step import freeze_norms, step, try_part


class DivergedError(EngineError):
    """A loss that is no longer a finite number."""


def train(
    model: nn.Module,
    task: Task,
    plan: TrainPlan,
    execution: Execution,
    *,
    monitor: Monitor = SILENT,
    phase: str = "training",
    optimiser: torch.optim.Optimizer | None = None,
    after_epoch: Callable[[Epoch], None] | None = None,
    teacher: Teacher | None = None,
    is_over: Callable[[Epoch], bool] | None = None,
) -> list[Epoch]:
    """Trains what is not frozen of `model` in place and returns its figures an epoch; it ends early
    where `is_over` says so after one.

    Same plan, task, execution and machine: same bits. Raises EngineError where batches are too
    small for the network, or too large for the memory, DivergedError, Cancelled.
    """
    device = torch_device(execution)
    sizes = batch_sizes(model, task, plan.batch_size)
    memory = training_format(model)
    model.to(device=device, memory_format=memory).train()  # type: ignore[call-overload]
    if plan.frozen_norms:
        freeze_norms(model)
    optimiser = optimiser or optimiser_of(model, plan)
    history: list[Epoch] = []
    row = task.describe().row
    for epoch in range(plan.first_epoch, plan.last_epoch):
        left = _steps_left(sizes, plan, epoch)
        if not left.num_steps:
            break
        with seeded(derive(plan.seed, "modules", epoch), device):  # what dropout draws
            figures = _epoch(
                model, task, left, optimiser, plan, epoch, execution, monitor, phase, teacher
            )
        if not math.isfinite(figures.loss):
            raise DivergedError(
                f"the loss became {figures.loss} in epoch {epoch + 1} of {phase} at learning rate "
                f"{plan.learning_rate}; use a smaller --learning-rate"
            )
        history.append(figures)
        monitor.tell(EpochEnded(phase, total_epochs=plan.total_epochs, row=row, **vars(figures)))
        if after_epoch is not None:
            after_epoch(figures)
        if is_over is not None and is_over(figures):
            break
    return history


class _Steps(NamedTuple):
    """The batches of an epoch, and how many of them a training still takes."""

    sizes: Sequence[int]
    num_steps: int

    @property
    def num_items(self) -> int:
        return sum(self.sizes[: self.num_steps])


def _steps_left(sizes: Sequence[int], plan: TrainPlan, epoch: int) -> _Steps:
    if plan.most_steps is None:
        return _Steps(sizes, len(sizes))
    done = (epoch - plan.first_epoch) * len(sizes)
    return _Steps(sizes, min(len(sizes), max(0, plan.most_steps - done)))


def _epoch(
    model: nn.Module,
    task: Task,
    steps: _Steps,
    optimiser: torch.optim.Optimizer,
    plan: TrainPlan,
    epoch: int,
    execution: Execution,
    monitor: Monitor,
    phase: str,
    teacher: Teacher | None,
) -> Epoch:
    draw, device = generator(plan.seed, "epoch", epoch), torch_device(execution)
    so_far = _SoFar.on(device, task.describe().row)
    num_items = sum(steps.sizes)
    steps_before = (epoch - plan.first_epoch) * num_items
    steps_in_all = num_items_in_all(steps.sizes, plan)
    rate = plan.learning_rate
    for batch in islice(task.training_batches(steps.sizes, draw), _asked(steps)):
        rate = plan.learning_rate_at(epoch, so_far.num_items / num_items)
        for group in optimiser.param_groups:
            group["lr"] = rate
        num_rows = batch.num_rows
        loss, right = _step(model, batch, optimiser, plan, execution, draw, teacher)
        so_far.add(loss, right, len(batch), num_rows)
        monitor.step(
            phase,
            steps_before + so_far.num_items,
            steps_in_all,
            lambda: so_far.running(plan, epoch, num_items),
        )
    if so_far.num_items != steps.num_items:
        raise EngineError(
            f"an epoch of {num_items:,} items gave {so_far.num_items:,}; training_batches has to "
            "give each training item once"
        )
    return Epoch(
        epoch=epoch,
        loss=float(so_far.loss_sum) / so_far.num_rows,
        accuracy=100 * int(so_far.correct) / so_far.num_rows,
        learning_rate=rate,
        images_per_second=so_far.rows_per_second,
    )


def num_items_in_all(sizes: Sequence[int], plan: TrainPlan) -> int:
    """How many items a plan's epochs of such batches hold, as far as they are taken."""
    epochs = range(plan.first_epoch, plan.last_epoch)
    return sum(_steps_left(sizes, plan, epoch).num_items for epoch in epochs)


def _asked(steps: _Steps) -> int | None:
    """How many batches are asked for; of a whole epoch all, so that too many are noticed."""
    return None if steps.num_steps == len(steps.sizes) else steps.num_steps


def _step(
    model: nn.Module,
    batch: Batch,
    optimiser: torch.optim.Optimizer,
    plan: TrainPlan,
    execution: Execution,
    draw: torch.Generator,
    teacher: Teacher | None,
) -> tuple[Tensor, Tensor]:
    """One step. Raises BatchTooLargeError where memory is too short for it."""
    try:
        batch = batch.to(torch_device(execution))
        return step(model, batch, optimiser, plan, execution, draw, teacher)
    except SHORT_OF_MEMORY as error:
        if not is_short_of_memory(error):
            raise
    # Out of the handler: what went wrong holds on to tensors.
    run = partial(try_part, model, batch, plan, execution, teacher)
    raise what_fits(model, batch, plan.accumulate, execution, run)


@dataclass
class _SoFar:
    """An epoch's sums. They stay on the device: reading them every step would make a GPU wait."""

    loss_sum: Tensor
    correct: Tensor
    row: str
    num_items: int = 0
    num_rows: int = 0
    started: float = field(default_factory=time.perf_counter)

    @staticmethod
    def on(device: torch.device, row: str) -> _SoFar:
        return _SoFar(
            torch.zeros((), device=device, dtype=torch.float64),
            torch.zeros((), device=device, dtype=torch.int64),
            row,
        )

    def add(self, loss: Tensor, right: Tensor, num_items: int, num_rows: int) -> None:
        self.loss_sum += loss.double() * num_rows
        self.correct += right
        self.num_items += num_items
        self.num_rows += num_rows

    @property
    def rows_per_second(self) -> float:
        return round(self.num_rows / (time.perf_counter() - self.started), 1)

    def running(self, plan: TrainPlan, epoch: int, num_items: int) -> Running:
        """The epoch's figures so far. Waits for the device."""
        return Running(
            epoch=epoch + 1,
            last_epoch=plan.last_epoch,
            epoch_share=round(self.num_items / num_items, 4),
            loss=round(float(self.loss_sum) / self.num_rows, 5),
            accuracy=round(100 * int(self.correct) / self.num_rows, 3),
            images_per_second=self.rows_per_second,
            row=self.row,
        )
