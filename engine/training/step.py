"""One step of the optimiser on one batch. Shape legend: B items, K classes; "…" is what an item's
rows are along."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.networks import Execution
from engine.runtime.device import torch_device
from engine.tasks import IGNORED, Batch, Inputs
from engine.tasks.batch import mapped, num_rows_of, taken, tensors_of
from engine.training.distillation import Teacher
from engine.training.forward import logits_of
from engine.training.memory_format import laid_out
from engine.training.plan import TrainPlan

_NOT_DETERMINISTIC = "does not have a deterministic implementation"


def step(
    model: nn.Module,
    batch: Batch,
    optimiser: torch.optim.Optimizer,
    plan: TrainPlan,
    execution: Execution,
    draw: torch.Generator,
    teacher: Teacher | None = None,
) -> tuple[Tensor, Tensor]:
    """The mean loss of the batch's rows before the step, and how many of them were right.

    Raises EngineError for inputs that cannot be mixed, where they are to be.
    """
    inputs, targets = laid_out(batch.inputs, model), batch.targets
    others, share = targets, 1.0
    if plan.mixup > 0:
        inputs, others, share = _mixed(inputs, targets, plan.mixup, draw)
    optimiser.zero_grad(set_to_none=True)
    losses, right = [], []
    num_rows = batch.num_rows if plan.accumulate > 1 else 0
    size = -(-len(batch) // plan.accumulate)
    for start in range(0, len(batch), size):
        part = slice(start, start + size)
        targets_part, others_part = targets[part], others[part]
        inputs_part = taken(inputs, part)
        logits = logits_of(model, inputs_part, execution)
        loss = _loss(logits, targets_part, others_part, share, plan.label_smoothing)
        if teacher is not None:
            loss = teacher.beside(loss, inputs_part, logits, targets_part)
        if plan.accumulate > 1:
            loss = loss * (num_rows_of(targets_part) / num_rows)
        _backward(loss, execution)
        losses.append(loss.detach())
        right.append((logits.argmax(-1) == targets_part).sum())
    if plan.clip_norm > 0:
        trained = [p for group in optimiser.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(trained, plan.clip_norm)
    optimiser.step()
    return torch.stack(losses).sum(), torch.stack(right).sum()


def try_part(
    model: nn.Module,
    batch: Batch,
    plan: TrainPlan,
    execution: Execution,
    teacher: Teacher | None,
    count: int,
) -> None:
    """Forward and backward pass of so many items, to see whether there is memory for them."""
    part = batch.to(torch_device(execution))
    inputs, targets = laid_out(taken(part.inputs, slice(count)), model), part.targets
    logits = logits_of(model, inputs, execution)
    loss = _cross_entropy(logits, targets[:count], plan.label_smoothing)
    if teacher is not None:
        loss = teacher.beside(loss, inputs, logits, targets[:count])
    _backward(loss, execution)


def freeze_norms(model: nn.Module) -> None:
    """Has batch norms use the statistics that they have: those of a few images would harm."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _loss(
    logits: Tensor, targets: Tensor, others: Tensor, share: float, smoothing: float
) -> Tensor:
    loss = _cross_entropy(logits, targets, smoothing)
    if others is targets or share == 1.0:
        return loss
    return share * loss + (1 - share) * _cross_entropy(logits, others, smoothing)


def _cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The mean over the rows at which something is asked."""
    logits_MK = logits.flatten(0, -2)
    return F.cross_entropy(
        logits_MK, targets.flatten(), label_smoothing=smoothing, ignore_index=IGNORED
    )


def _mixed(
    inputs: Inputs, targets: Tensor, alpha: float, draw: torch.Generator
) -> tuple[Inputs, Tensor, float]:
    """Each item mixed with another of the batch, by one share a batch (Zhang et al., 2018)."""
    if targets.dim() > 1 or not all(x.is_floating_point() for x in tensors_of(inputs)):
        raise EngineError(
            "only items of numbers with one answer each can be mixed (--mixup), and these are "
            "none; leave --mixup out"
        )
    # A beta distribution of two gammas, from the draws of this training alone.
    gammas_2 = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=draw)
    share = float(gammas_2[0] / gammas_2.sum())
    order_B = torch.randperm(len(targets), generator=draw).to(targets.device)
    mixed = mapped(inputs, lambda x: share * x + (1 - share) * x[order_B])
    return mixed, targets[order_B], share


def _backward(loss: Tensor, execution: Execution) -> None:
    try:
        loss.backward()
    except RuntimeError as error:
        if _NOT_DETERMINISTIC not in str(error):
            raise
        operation = str(error).split(_NOT_DETERMINISTIC)[0].strip()
        raise EngineError(
            f"the network cannot be trained on {execution.device} bit for bit: {operation} has no "
            "deterministic form there; use --device cpu"
        ) from error
