"""A network for inference: for images, what it takes them for and by which representation.

Shape legend: B images, D features, K classes.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor, nn

from engine.measures.folding import for_inference
from engine.measures.output import output_module_of
from engine.models.cifar_resnet import CifarResNet
from engine.models.outputs import output_of
from engine.runtime.sharing import sharing_copy

EVALUATION_BATCH = 128  # larger ones fall out of a CPU's cache
_PIXELS = 96 * 96  # of images of which that many fit


class Classifier:
    """Gives (features, logits) of images. Batch norms are folded; any number of threads may call.

    The representation is the input of the last weighted module, a row an image in float32: maps
    and tokens are averaged.
    """

    def __init__(
        self, model: nn.Module, image_shape_HWC: tuple[int, int, int], device: torch.device
    ) -> None:
        self._model = for_inference(model, image_shape_HWC).to(device)
        self._own = threading.local()
        self._output = ""
        self.batch_size = EVALUATION_BATCH
        if not isinstance(model, CifarResNet):
            height, width, channels = image_shape_HWC
            example = torch.zeros(2, channels, height, width, device=device)
            self._output = output_module_of(self._model, example)
            share = max(1.0, height * width / _PIXELS) if device.type == "cpu" else 1.0
            self.batch_size = max(1, int(EVALUATION_BATCH / share))

    def __call__(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The features (B, D) and the logits (B, K). To be called without gradients."""
        model = self._model
        if isinstance(model, CifarResNet):
            features_BD = model.features(images_BCHW)
            return features_BD, model.classify(features_BD)
        if not hasattr(self._own, "model"):
            self._own.model = _Observed(sharing_copy(model), self._output)
        observed: _Observed = self._own.model
        return observed(images_BCHW.contiguous())


class _Observed:
    """A network that belongs to one thread, and what its output module got last."""

    def __init__(self, model: nn.Module, output: str) -> None:
        self._model, self._seen = model, torch.empty(0)
        self._module = model.get_submodule(output)
        self._module.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._seen = next(v for v in (*args, *kwargs.values()) if isinstance(v, Tensor))

    def __call__(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        logits_BK = output_of(self._model(images_BCHW))
        seen, self._seen = self._seen, torch.empty(0)
        if len(seen) != len(images_BCHW):  # rows of something else than images
            seen = logits_BK
        return _rows(seen.float(), isinstance(self._module, nn.Conv2d)), logits_BK


def _rows(seen: Tensor, is_convolution: bool) -> Tensor:
    """A row an image: averaged over pixels (behind the channels) or tokens (before them)."""
    if seen.dim() > 2:
        return seen.flatten(2).mean(2) if is_convolution else seen.flatten(1, -2).mean(1)
    return seen.flatten(1)
