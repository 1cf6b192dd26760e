"""One step of the optimiser on one batch. Shape legend: B images, C channels, K classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.networks import Execution
from engine.models.cifar_resnet import CifarResNet
from engine.models.outputs import output_of
from engine.runtime.device import autocast_dtype, torch_device
from engine.training.plan import TrainPlan

_NOT_DETERMINISTIC = "does not have a deterministic implementation"


def step(
    model: nn.Module,
    images_BCHW: Tensor,
    labels_B: Tensor,
    optimiser: torch.optim.Optimizer,
    plan: TrainPlan,
    execution: Execution,
    draw: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The mean loss of the batch before the step, and how many of its images were right."""
    if not isinstance(model, CifarResNet):
        # A network that views its maps as rows bears no other order in memory.
        images_BCHW = images_BCHW.contiguous()
    others_B, share = labels_B, 1.0
    if plan.mixup > 0:
        images_BCHW, others_B, share = _mixed(images_BCHW, labels_B, plan.mixup, draw)
    optimiser.zero_grad(set_to_none=True)
    losses, right = [], []
    size = -(-len(labels_B) // plan.accumulate)
    parts = (images_BCHW.split(size), labels_B.split(size), others_B.split(size))
    for images, labels, others in zip(*parts, strict=True):
        logits_BK = _logits(model, images, execution)
        loss = _loss(logits_BK, labels, others, share, plan.label_smoothing)
        if plan.accumulate > 1:
            loss = loss * (len(labels) / len(labels_B))
        _backward(loss, execution)
        losses.append(loss.detach())
        right.append((logits_BK.argmax(1) == labels).sum())
    optimiser.step()
    return torch.stack(losses).sum(), torch.stack(right).sum()


def freeze_norms(model: nn.Module) -> None:
    """Has batch norms use the statistics that they have: those of a few images would harm."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _logits(model: nn.Module, images_BCHW: Tensor, execution: Execution) -> Tensor:
    device = torch_device(execution)
    with torch.autocast(
        device.type, dtype=autocast_dtype(execution), enabled=execution.autocast is not None
    ):
        return output_of(model(images_BCHW)).float()


def _loss(
    logits_BK: Tensor, labels_B: Tensor, others_B: Tensor, share: float, smoothing: float
) -> Tensor:
    loss = F.cross_entropy(logits_BK, labels_B, label_smoothing=smoothing)
    if others_B is labels_B or share == 1.0:
        return loss
    other = F.cross_entropy(logits_BK, others_B, label_smoothing=smoothing)
    return share * loss + (1 - share) * other


def _mixed(
    images_BCHW: Tensor, labels_B: Tensor, alpha: float, draw: torch.Generator
) -> tuple[Tensor, Tensor, float]:
    """Each image mixed with another of the batch, by one share a batch (Zhang et al., 2018)."""
    # A beta distribution of two gammas, from the draws of this training alone.
    gammas_2 = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=draw)
    share = float(gammas_2[0] / gammas_2.sum())
    order_B = torch.randperm(len(labels_B), generator=draw).to(labels_B.device)
    mixed_BCHW = share * images_BCHW + (1 - share) * images_BCHW[order_B]
    return mixed_BCHW, labels_B[order_B], share


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
