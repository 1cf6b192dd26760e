"""What a recovery is: which numbers of a candidate are trained until it is compared, from which
values, and what becomes of what was put in for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.contracts.networks import Architecture
from engine.tasks import Batch


class RecoveryError(EngineError):
    """A recovery that finds nothing of its kind in a network."""


@dataclass(frozen=True)
class Asked:
    """How a recovery was asked for (`lora:8`), of which network, and with which seed. `example` is
    a training item or two, on the CPU."""

    value: str
    architecture: Architecture
    seed: int
    example: Batch


class Recovery:
    """All weights are trained, as they are. The others are made of it.

    `keeps_statistics`: batch norms use the statistics that they have, and keep them;
    `own_schedule`: the learning rate goes through its whole schedule, and again in tuning.
    """

    keeps_statistics = False
    own_schedule = False

    def prepare(self, model: nn.Module, asked: Asked) -> None:
        """Freezes what is not trained; puts in what is. In place. Raises RecoveryError."""

    def finish(self, model: nn.Module) -> None:
        """Leaves a network as an architecture describes it."""


def train_only(model: nn.Module, chosen: Iterable[Tensor], name: str, remedy: str) -> None:
    """Freezes all other parameters. Raises RecoveryError where nothing is chosen."""
    ids = {id(parameter) for parameter in chosen}
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.requires_grad and id(parameter) in ids)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise RecoveryError(f"--recover {name}: {remedy}")


def scales_and_shifts(model: nn.Module) -> list[Tensor]:
    """The parameters of the normalisations: of torch's, and of others that are called so and have
    vectors only."""
    found: list[Tensor] = []
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if "norm" in type(module).__name__.lower() and all(p.dim() <= 1 for p in own):
            found += own
    return found


def shifts(model: nn.Module) -> list[Tensor]:
    """The biases: vectors that are called so (`bias`, `in_proj_bias`)."""
    return [p for n, p in model.named_parameters() if n.endswith("bias") and p.dim() <= 1]
