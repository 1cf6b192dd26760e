"""A teacher beside the labels (Hinton et al., 2015), by its answers and by its representation.

Shape legend: B items, M rows, K classes, D and E features. "…" is what an item's rows are along.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.measures.output import output_module_of
from engine.runtime.device import torch_device
from engine.tasks import IGNORED, Batch, Inputs
from engine.training.forward import logits_of

TEMPERATURE = 4.0
WEIGHT = 0.5  # of the teacher's answers; the rest is that of the labels
FEATURES_WEIGHT = 1.0  # of what its representation differs by, 1 - CKA
FEWEST_ROWS = 3  # of which a CKA tells anything


class Teacher:
    """A network whose answers a student learns, on the very inputs that it gets.

    The loss is (1 - w) CE + w T² KL(teacher ‖ student), both at temperature T; with `features` also
    1 - linear CKA of what their final classifiers get from the batch.
    """

    def __init__(
        self,
        network: nn.Module,
        student: nn.Module,
        example: Batch,
        execution: Execution,
        *,
        features: bool = False,
    ) -> None:
        device = torch_device(execution)
        self._network = network.to(device).eval()
        self._execution = execution
        self._seen: tuple[_Seen, _Seen] | None = None
        if features:
            inputs = example.to(device).inputs
            self._seen = (_Seen(network, inputs), _Seen(student.to(device), inputs))

    def close(self) -> None:
        """Looks at the networks no longer."""
        for seen in self._seen or ():
            seen.close()

    def beside(self, loss: Tensor, inputs: Inputs, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of a student that gave these logits, from its loss by the labels."""
        with torch.no_grad():
            theirs = logits_of(self._network, inputs, self._execution)
        asked_M = (targets != IGNORED).flatten()
        kl = soft_kl(logits.flatten(0, -2)[asked_M], theirs.flatten(0, -2)[asked_M])
        loss = (1 - WEIGHT) * loss + WEIGHT * kl
        if self._seen is not None:
            of_teacher, of_student = (seen.rows(targets) for seen in self._seen)
            loss = loss + FEATURES_WEIGHT * unlikeness(of_student, of_teacher)
        return loss


def soft_kl(student_MK: Tensor, teacher_MK: Tensor) -> Tensor:
    """T² times the mean KL of the student's answers from the teacher's, both softened."""
    log_q_MK = (student_MK / TEMPERATURE).log_softmax(1)
    log_p_MK = (teacher_MK / TEMPERATURE).log_softmax(1)
    return TEMPERATURE**2 * F.kl_div(log_q_MK, log_p_MK, reduction="batchmean", log_target=True)


def unlikeness(x_MD: Tensor, y_ME: Tensor) -> Tensor:
    """1 - linear CKA of two representations of the same rows; 0 for too few of them."""
    if len(x_MD) < FEWEST_ROWS or len(x_MD) != len(y_ME):
        return x_MD.new_zeros(())
    x_MD, y_ME = x_MD - x_MD.mean(0), y_ME - y_ME.mean(0)
    cross = (x_MD.mT @ y_ME).square().sum()
    own = (x_MD.mT @ x_MD).norm() * (y_ME.mT @ y_ME).norm()
    unlike: Tensor = 1 - cross / own.clamp_min(1e-12)
    return unlike


class _Seen:
    """What a network's output module got last."""

    def __init__(self, network: nn.Module, example: Inputs) -> None:
        module = network.get_submodule(output_module_of(network, example))
        self._is_convolution = isinstance(module, nn.Conv2d)
        self._x: Tensor | None = None
        self._handle = module.register_forward_pre_hook(self._see, with_kwargs=True)

    def close(self) -> None:
        self._handle.remove()

    def _see(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._x = next(v for v in (*args, *kwargs.values()) if isinstance(v, Tensor))

    def rows(self, targets: Tensor) -> Tensor:
        """A row for each answer that is asked for, or, where it sees something else, an item."""
        x, self._x = self._x, None
        assert x is not None
        if targets.dim() > 1 and x.shape[: targets.dim()] == targets.shape:
            x = x[targets != IGNORED].flatten(1)
        elif x.dim() > 2:  # maps and tokens are averaged
            x = x.flatten(2).mean(2) if self._is_convolution else x.flatten(1, -2).mean(1)
        rows_MD: Tensor = x.flatten(1).float()
        return rows_MD
