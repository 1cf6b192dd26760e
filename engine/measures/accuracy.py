"""Accuracy and features, in float32 with folded batch norms.

Shape legend: N images, D features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.data import ImageData, Images, normalise
from engine.measures.classifier import Classifier
from engine.runtime.device import torch_device
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy in percent, mean cross-entropy, the input of the final classifier, and what each
    image was taken for."""

    accuracy: float
    loss: float
    features_ND: Tensor
    predicted_N: Tensor


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
    classifier = Classifier(model, data.image_shape_HWC, device)
    batch_size = classifier.batch_size
    images = images.to(device)
    features, predicted, correct, loss_sum = [], [], 0, 0.0

    def task(offset: int) -> tuple[Tensor, Tensor, int, float]:
        monitor.check()
        batch = slice(offset, offset + batch_size)
        inputs_BCHW = normalise(images.pixels_NHWC[batch], data.mean, data.std)
        labels_B = images.labels_N[batch]
        features_BD, logits_BK = classifier(inputs_BCHW)
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
        monitor.step(phase, min(batch_size * len(features), len(images)), len(images))

    tasks = [partial(task, offset) for offset in range(0, len(images), batch_size)]
    in_parallel(tasks, execution, take)
    return Evaluation(
        accuracy=100 * correct / len(images),
        loss=loss_sum / len(images),
        features_ND=torch.cat(features),
        predicted_N=torch.cat(predicted).cpu(),
    )
