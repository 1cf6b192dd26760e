"""Whether a network takes the images of a data set and gives scores of its classes: it is run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.checkpoints.saved_folder import NOTHING_SAID, FolderWords
from engine.contracts.errors import DataError, EngineError
from engine.contracts.message_text import plain
from engine.contracts.networks import DataDescription
from engine.models.outputs import output_of

# What torch and whoever wrote a forward pass raise where an input does not fit.
FORWARD_ERRORS = (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError,
                  NotImplementedError, AssertionError)  # fmt: skip
_SIZES = (224, 32, 28, 64, 96, 128, 160, 192, 240, 256, 288, 299, 320, 384, 448, 512)
_CHANNELS = (3, 1)


def check_output(
    model: nn.Module, data: DataDescription, folder: FolderWords = NOTHING_SAID
) -> None:
    """Raises DataError where the network cannot take these images, or has other classes."""
    height, width, channels = data.image_shape
    shape = (2, channels, height, width)
    try:
        logits_BK = _run(model, shape)
    except FORWARD_ERRORS as error:
        raise DataError(_why_not(model, data, error, folder)) from error
    if logits_BK.dim() != 2 or len(logits_BK) != 2:
        raise DataError(
            f"for two images the network gives {'×'.join(map(str, logits_BK.shape))} numbers, not "
            "one score for each image and class; give a network that classifies images"
        )
    if logits_BK.shape[1] != len(data.classes):
        raise DataError(
            f"the network tells {logits_BK.shape[1]} classes apart, {data.name} has "
            f"{len(data.classes)}; give the data it was trained on with --data, or have it learn "
            "these first: pe-explore train MODEL"
        )


def num_outputs(model: nn.Module, data: DataDescription) -> int | None:
    """How many classes the network tells apart on these images; None where it cannot take them."""
    height, width, channels = data.image_shape
    try:
        logits_BK = _run(model, (2, channels, height, width))
    except (*FORWARD_ERRORS, EngineError):
        return None
    return logits_BK.shape[1] if logits_BK.dim() == 2 else None


@torch.inference_mode()
def _run(model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor:
    return output_of(model(torch.zeros(shape)))


def _runs(model: nn.Module, shape: tuple[int, int, int, int]) -> bool:
    try:
        _run(model, shape)
    except (*FORWARD_ERRORS, EngineError):
        return False
    return True


def _why_not(model: nn.Module, data: DataDescription, error: Exception, folder: FolderWords) -> str:
    """What the network takes instead, found by trying."""
    height, width, channels = data.image_shape
    for other in _CHANNELS:
        if other != channels and _runs(model, (2, other, height, width)):
            return (
                f"the network takes images of {other} channels, {data.name} has {channels}; give "
                "the data it was trained on with --data"
            )
    said = () if folder.image_size is None else (folder.image_size,)
    for count in dict.fromkeys((channels, *_CHANNELS)):
        for size in (*said, *_SIZES):
            if _runs(model, (2, count, size, size)):
                also = "" if count == channels else f" and {count} channels"
                how = folder.options if size == folder.image_size else f"--image-size {size}"
                return (
                    f"the network takes images of {size}×{size} pixels{also}, those of {data.name} "
                    f"have {width}×{height}; bring them to that size with {how}"
                )
    first_line = (str(error).strip().splitlines() or [""])[0]
    return (
        f"the network fails on images of {width}×{height} pixels and {channels} channels "
        f"({type(error).__name__}: {plain(first_line)}); give data of the images that it takes, "
        "or a network that takes these"
    )
