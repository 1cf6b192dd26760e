"""Whether a network takes what a task gives, and answers what it asks: it is run."""

from __future__ import annotations

import torch
from torch import nn

from engine.checkpoints.image_fit import FORWARD_ERRORS
from engine.contracts.errors import DataError
from engine.contracts.message_text import plain
from engine.models.outputs import output_of
from engine.tasks import Task, examples
from engine.tasks.batch import run_on, tensors_of
from engine.tasks.checking import num_classes


@torch.inference_mode()
def check_answers(model: nn.Module, task: Task) -> None:
    """Raises DataError where the network fails on the task's items, or gives other logits than one
    for each row and class."""
    about, batch = task.describe(), examples(task, 2)
    try:
        logits = output_of(run_on(model, batch.inputs))
    except FORWARD_ERRORS as error:
        shapes = ", ".join(_told(x.shape) for x in tensors_of(batch.inputs))
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise DataError(
            f"the network fails on two items of {about.name}, called with {shapes} "
            f"({type(error).__name__}: {plain(first_line)}); give a task whose items it takes"
        ) from error
    expected = (*batch.targets.shape, num_classes(about))
    if tuple(logits.shape) != expected:
        raise DataError(
            f"for two items of {about.name} the network gives {_told(logits.shape)} numbers, and "
            f"the task asks for {_told(expected)}: a score for each {about.row} and class"
        )


def _told(shape: tuple[int, ...] | torch.Size) -> str:
    return "×".join(map(str, shape))
