"""What is trained of a candidate until it is compared: every recovery by its name.

A kept candidate is tuned in full, whatever it recovered by: cheap recoveries are there to compare
candidates (PERP).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from engine.contracts.methods import name_in
from engine.training.recoveries.controls import RateRewinding, Scratch
from engine.training.recoveries.lora import Lora
from engine.training.recoveries.parts import Biases, Head, Norms
from engine.training.recoveries.recovery import Asked, Recovery, RecoveryError

__all__ = ["RECOVERIES", "Asked", "Recovery", "RecoveryError", "as_it_is", "recovering", "recovery"]

RECOVERIES: dict[str, Recovery] = {
    "full": Recovery(),
    "norms": Norms(),
    "biases": Biases(),
    "head": Head(),
    "lora": Lora(),
    "lr-rewind": RateRewinding(),
    "scratch": Scratch(),
}


def recovery(value: str) -> Recovery:
    """The recovery of `lora:8`."""
    return RECOVERIES[name_in(value)]


@contextmanager
def recovering(model: nn.Module, asked: Asked) -> Iterator[None]:
    """In it a network is as it recovers; afterwards as its architecture says, and all of it can be
    trained that could before. Raises RecoveryError."""
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    chosen = recovery(asked.value)
    try:
        chosen.prepare(model, asked)
        yield
    finally:
        chosen.finish(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name not in frozen)


def as_it_is(model: nn.Module, value: str) -> nn.Module:
    """A network in the middle of its recovery as its architecture says, to be measured."""
    plain = copy.deepcopy(model)
    recovery(value).finish(plain)
    return plain
