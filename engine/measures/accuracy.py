"""Accuracy and features, in float32 with folded batch norms.

Shape legend: M rows, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.networks import Execution
from engine.measures.classifier import Classifier
from engine.runtime.device import torch_device
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel
from engine.tasks import Batch, Split, Task, examples, num_items

NO_LAYERS: Mapping[str, str] = {}
MOST_BYTES = 4 * 2**30  # of the features of layers


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy in percent and mean cross-entropy of the rows, the input of the final classifier,
    what each row was taken for and is, to which item it belongs, and the layers that were asked for
    (M, D) by name."""

    accuracy: float
    loss: float
    features_MD: Tensor
    predicted_M: Tensor
    targets_M: Tensor
    items_M: Tensor
    layers: Mapping[str, Tensor] = field(default_factory=dict)


class _Found(NamedTuple):
    num_items: int
    features_MD: Tensor
    predicted_M: Tensor
    targets_M: Tensor
    items_M: Tensor
    num_correct: int
    loss_sum: float
    layers: tuple[Tensor, ...]


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    task: Task,
    split: Split,
    execution: Execution,
    *,
    items: Tensor | None = None,
    monitor: Monitor = SILENT,
    phase: str = "evaluating",
    layers: Mapping[str, str] = NO_LAYERS,
) -> Evaluation:
    """Measures `model` on a split, or on items of it; the model is left as it was. `layers` are
    modules by the names under which the evaluation has what they give.

    Raises Cancelled, EngineError where layers would not fit into memory, and whatever reading the
    items raises.
    """
    device = torch_device(execution)
    classifier = Classifier(model, examples(task, 2), device, tuple(layers.values()))
    total = num_items(task, split) if items is None else len(items)
    done, parts = 0, []

    def look_at(batch: Batch) -> _Found:
        monitor.check()
        rows = classifier(batch.to(device))
        _check_fits(rows.layers, total / len(batch))
        loss = F.cross_entropy(rows.logits_MK.double(), rows.targets_M, reduction="sum")
        predicted_M = rows.logits_MK.argmax(1)
        num_correct = int((predicted_M == rows.targets_M).sum())
        return _Found(
            len(batch), rows.features_MD, predicted_M, rows.targets_M, rows.items_M,
            num_correct, float(loss), rows.layers,
        )  # fmt: skip

    def take(found: _Found) -> None:
        nonlocal done
        parts.append(found)
        done += found.num_items
        monitor.step(phase, done, total)

    batches = task.batches(split, classifier.batch_size, items)
    in_parallel((partial(look_at, batch) for batch in batches), execution, take)
    return _together(parts, layers)


def _check_fits(layers: tuple[Tensor, ...], num_batches: float) -> None:
    num_bytes = num_batches * sum(layer.nbytes for layer in layers)
    if num_bytes > MOST_BYTES:
        raise EngineError(
            f"the features of {len(layers)} layers would take {num_bytes / 2**30:.1f} GiB (at most "
            f"{MOST_BYTES >> 30}); use --representation stages or penultimate, or fewer validation "
            "items"
        )


def _together(parts: list[_Found], layers: Mapping[str, str]) -> Evaluation:
    num_rows, loss_sum = 0, 0.0
    for part in parts:
        num_rows += len(part.predicted_M)
        loss_sum += part.loss_sum
    return Evaluation(
        accuracy=100 * sum(part.num_correct for part in parts) / num_rows,
        loss=loss_sum / num_rows,
        features_MD=torch.cat([part.features_MD for part in parts]),
        predicted_M=torch.cat([part.predicted_M for part in parts]).cpu(),
        targets_M=torch.cat([part.targets_M for part in parts]).cpu(),
        items_M=torch.cat([part.items_M for part in parts]).cpu(),
        layers={
            name: torch.cat([part.layers[index] for part in parts])
            for index, name in enumerate(layers)
        },
    )
