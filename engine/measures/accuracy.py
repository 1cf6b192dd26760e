"""Accuracy and features, in float32 with folded batch norms.

Shape legend: N images, D features, K classes.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.contracts.networks import Execution
from engine.data import ImageData, Images, normalise
from engine.runtime.device import torch_device
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel

EVALUATION_BATCH = 128  # larger ones fall out of a CPU's cache


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy in percent, mean cross-entropy, the input of the final classifier, and what each
    image was taken for."""

    accuracy: float
    loss: float
    features_ND: Tensor
    predicted_N: Tensor


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """A copy of `model` for inference: every conv1/bn1, conv2/bn2 pair made one convolution.

    Pairs are found as (`conv…`, `bn…`) siblings of equal suffix and as neighbours in a Sequential.
    """
    folded = copy.deepcopy(model).eval()
    for parent in list(folded.modules()):
        children = dict(parent.named_children())
        for name, child in children.items():
            if not isinstance(child, nn.Conv2d):
                continue
            partner = _partner_name(parent, name)
            norm = children.get(partner) if partner else None
            if partner and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(child, norm))
                setattr(parent, partner, nn.Identity())
    return folded.to(memory_format=torch.channels_last)


def _partner_name(parent: nn.Module, name: str) -> str | None:
    if isinstance(parent, nn.Sequential) and name.isdigit():
        return str(int(name) + 1)
    return name.replace("conv", "bn", 1) if name.startswith("conv") else None


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    images: Images,
    data: ImageData,
    execution: Execution,
    *,
    monitor: Monitor = SILENT,
    phase: str = "evaluating",
) -> Evaluation:
    """Measures `model` on one split of `data`; the model is left as it was. Raises Cancelled."""
    device = torch_device(execution)
    inference = fold_batchnorm(model).to(device)
    images = images.to(device)
    features, predicted, correct, loss_sum = [], [], 0, 0.0

    def task(offset: int) -> tuple[Tensor, Tensor, int, float]:
        monitor.check()
        batch = slice(offset, offset + EVALUATION_BATCH)
        inputs_BCHW = normalise(images.pixels_NHWC[batch], data.mean, data.std)
        labels_B = images.labels_N[batch]
        features_BD = inference.features(inputs_BCHW)  # type: ignore[operator]
        logits_BK = inference.classify(features_BD)  # type: ignore[operator]
        loss = F.cross_entropy(logits_BK.double(), labels_B, reduction="sum")
        predicted_B = logits_BK.argmax(1)
        return features_BD, predicted_B, int((predicted_B == labels_B).sum()), float(loss)

    def take(found: tuple[Tensor, Tensor, int, float]) -> None:
        nonlocal correct, loss_sum
        features_BD, predicted_B, num_correct, loss = found
        features.append(features_BD)
        predicted.append(predicted_B)
        correct += num_correct
        loss_sum += loss
        monitor.step(phase, min(EVALUATION_BATCH * len(features), len(images)), len(images))

    tasks = [partial(task, offset) for offset in range(0, len(images), EVALUATION_BATCH)]
    in_parallel(tasks, execution, take)
    return Evaluation(
        accuracy=100 * correct / len(images),
        loss=loss_sum / len(images),
        features_ND=torch.cat(features),
        predicted_N=torch.cat(predicted).cpu(),
    )
