"""How the items of an epoch are cut into batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.contracts.errors import EngineError
from engine.runtime.device import device_of
from engine.tasks import Task, examples, num_items
from engine.tasks.batch import run_on


def batch_sizes(model: nn.Module, task: Task, batch_size: int) -> Sequence[int]:
    """The sizes of an epoch's batches; the last one is what is left over.

    A single item left over goes to the batch before it where the network could not train on it
    alone. Raises EngineError where there is none before it.
    """
    count = num_items(task, "train")
    whole, rest = divmod(count, batch_size)
    sizes = [batch_size] * whole + [rest] * (rest > 0)
    if count % batch_size != 1 % batch_size or not _needs_two(model, task):
        return sizes
    if batch_size == 1 or len(sizes) < 2:
        row, shape = _words(task)
        raise EngineError(
            f"the network cannot be trained on one {row} at a time: {shape}its last maps have one "
            "value a channel, and batch normalisation needs two; use --batch-size 2 or more, and "
            f"at least two training {row}s"
        )
    return [*sizes[:-2], batch_size + 1]


def _words(task: Task) -> tuple[str, str]:
    about = task.describe()
    if len(about.image_shape) != 3:
        return about.row, ""
    return about.row, f"for images of {about.image_shape[1]}×{about.image_shape[0]} pixels "


def _needs_two(model: nn.Module, task: Task) -> bool:
    """Whether a batch norm sees a single value a channel when one item goes through."""
    found = []

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        found.append(inputs[0].numel() == inputs[0].shape[1])

    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    was_training = model.training
    try:
        with torch.no_grad():
            run_on(model.eval(), examples(task, 1).to(device_of(model)).inputs)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return any(found)
