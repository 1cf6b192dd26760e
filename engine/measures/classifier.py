"""A network for inference: for items, what it takes their rows for and by which representation.

Shape legend: B items, M rows, D features, K classes. "…" is what an item's rows are along.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.measures.folding import for_inference
from engine.measures.layers import LayersSeen
from engine.measures.output import output_module_of
from engine.models.cifar_resnet import CifarResNet
from engine.models.outputs import output_of
from engine.runtime.sharing import sharing_copy
from engine.tasks import IGNORED, Batch
from engine.tasks.batch import Inputs, mapped, run_on, tensors_of

EVALUATION_BATCH = 128  # items; larger ones fall out of a CPU's cache
_PIXELS = 96 * 96  # of images of which that many fit
_LOGIT_BYTES = 2**27  # of a batch, in float64


class Rows(NamedTuple):
    """What a network gave for a batch: a row for each answer that was asked for."""

    logits_MK: Tensor
    features_MD: Tensor
    targets_M: Tensor
    items_M: Tensor  # the item that each row belongs to
    layers: tuple[Tensor, ...] = ()  # what the layers that were asked for gave, each (M, D)


class Classifier:
    """Gives the rows of batches. Batch norms are folded; any number of threads may call.

    The representation is the input of the last weighted module in float32. Where an item is one
    row, maps and tokens are averaged. `layers` are paths of modules whose results are given too.
    """

    def __init__(
        self, model: nn.Module, example: Batch, device: torch.device, layers: Sequence[str] = ()
    ) -> None:
        self._layers = layers
        self._model = for_inference(model, example.inputs).to(device)
        self._own = threading.local()
        self._output = ""
        self.batch_size = EVALUATION_BATCH
        if not isinstance(model, CifarResNet):
            inputs = example.to(device).inputs
            self._output = output_module_of(self._model, inputs)
            self.batch_size = _batch_size(self._model, inputs, device)

    def __call__(self, batch: Batch) -> Rows:
        """To be called without gradients."""
        if isinstance(self._model, CifarResNet) and not self._layers:
            return _of_cifar_resnet(self._model, batch)
        if not hasattr(self._own, "model"):
            own = sharing_copy(self._model)
            self._own.layers = LayersSeen(own, self._layers)
            if isinstance(own, CifarResNet):
                self._own.model = partial(_of_cifar_resnet, own)
            else:
                self._own.model = _Observed(own, self._output)
        rows: Rows = self._own.model(batch)
        return rows._replace(layers=self._own.layers.rows(batch)) if self._layers else rows


def _of_cifar_resnet(model: CifarResNet, batch: Batch) -> Rows:
    (images_BCHW,) = tensors_of(batch.inputs)
    features_BD = model.features(images_BCHW)
    return Rows(model.classify(features_BD), features_BD, batch.targets, batch.items_B)


@torch.inference_mode()
def _batch_size(network: nn.Module, inputs: Inputs, device: torch.device) -> int:
    """How many items fit: of large images, and of sequences with an answer at each place, fewer."""
    first, most = tensors_of(inputs)[0], EVALUATION_BATCH
    if first.dim() == 4 and device.type == "cpu":
        height, width = first.shape[2:]
        most = max(1, int(most / max(1.0, height * width / _PIXELS)))
    logits = output_of(run_on(network, inputs))
    return max(1, min(most, _LOGIT_BYTES // (8 * max(1, logits[0].numel()))))


class _Observed:
    """A network that belongs to one thread, and what its output module got last."""

    def __init__(self, model: nn.Module, output: str) -> None:
        self._model, self._seen = model, torch.empty(0)
        self._module = model.get_submodule(output)
        self._module.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._seen = next(v for v in (*args, *kwargs.values()) if isinstance(v, Tensor))

    def __call__(self, batch: Batch) -> Rows:
        logits = output_of(run_on(self._model, mapped(batch.inputs, Tensor.contiguous)))
        seen, self._seen = self._seen, torch.empty(0)
        if batch.targets.dim() > 1:
            return _asked(logits, seen, batch)
        if len(seen) != len(batch):  # rows of something else than items
            seen = logits
        features_BD = _a_row_an_item(seen.float(), isinstance(self._module, nn.Conv2d))
        return Rows(logits, features_BD, batch.targets, batch.items_B)


def _a_row_an_item(seen: Tensor, is_convolution: bool) -> Tensor:
    """Averaged over pixels (behind the channels) or tokens (before them)."""
    if seen.dim() > 2:
        return seen.flatten(2).mean(2) if is_convolution else seen.flatten(1, -2).mean(1)
    return seen.flatten(1)


def _asked(logits: Tensor, seen: Tensor, batch: Batch) -> Rows:
    """The rows of those places at which something is asked."""
    targets = batch.targets
    if seen.shape[: targets.dim()] != targets.shape:  # the output module sees something else
        seen = logits
    here = targets != IGNORED
    items_B = batch.items_B.to(targets.device)
    items = items_B.reshape(-1, *[1] * (targets.dim() - 1)).expand_as(targets)
    return Rows(logits[here], seen[here].flatten(1).float(), targets[here], items[here])
