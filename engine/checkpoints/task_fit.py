"""Whether a network takes what a task gives, and answers what it asks: it is run."""

from __future__ import annotations

import torch
from torch import nn

from engine.checkpoints.image_fit import FORWARD_ERRORS
from engine.contracts.errors import DataError
from engine.contracts.message_text import plain
from engine.models.outputs import output_of
from engine.tasks import Batch, Task, examples
from engine.tasks.batch import run_on, tensors_of
from engine.tasks.checking import num_classes

Shape = tuple[int, ...]


def check_answers(model: nn.Module, task: Task) -> None:
    """Raises DataError where the network fails on the task's items, or gives other logits than one
    for each row and class."""
    about, batch = task.describe(), examples(task, 2)
    given, asked = _answered(model, task, batch), _asked(task, batch)
    if given != asked:
        raise DataError(
            f"for two items of {about.name} the network gives {_told(given)} numbers, and the task "
            f"asks for {_told(asked)}: a score for each {about.row} and class"
        )


def has_other_classes(model: nn.Module, task: Task) -> bool:
    """Whether the network answers for each row, and only for another number of classes. Raises
    DataError where it fails on the task's items."""
    batch = examples(task, 2)
    given, asked = _answered(model, task, batch), _asked(task, batch)
    return given != asked and given[:-1] == asked[:-1]


def _asked(task: Task, batch: Batch) -> Shape:
    return (*batch.targets.shape, num_classes(task.describe()))


@torch.inference_mode()
def _answered(model: nn.Module, task: Task, batch: Batch) -> Shape:
    try:
        return tuple(output_of(run_on(model, batch.inputs)).shape)
    except FORWARD_ERRORS as error:
        shapes = ", ".join(_told(x.shape) for x in tensors_of(batch.inputs))
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise DataError(
            f"the network fails on two items of {task.describe().name}, called with {shapes} "
            f"({type(error).__name__}: {plain(first_line)}); give a task whose items it takes"
        ) from error


def _told(shape: Shape) -> str:
    return "×".join(map(str, shape))
