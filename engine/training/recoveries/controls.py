"""Recoveries that are controls: other weights, or another rate, than fine-tuning begins with."""

from __future__ import annotations

from torch import nn

from engine.models import PROGRAM
from engine.pruning.editing import rebuild
from engine.training.recoveries.recovery import Asked, Recovery, RecoveryError


class Scratch(Recovery):
    """Fresh weights, by the seed, in the pruned shape (Liu et al., 2018). They are drawn as the
    network's factory draws them, for the whole network, and then cut."""

    def prepare(self, model: nn.Module, asked: Asked) -> None:
        if asked.architecture.factory == PROGRAM:
            raise RecoveryError(
                "--recover scratch: an exported program does not say how its weights are drawn; "
                "give the network by --arch, or use --recover full"
            )
        model.load_state_dict(rebuild(asked.architecture, seed=asked.seed).state_dict())


class RateRewinding(Recovery):
    """All weights, while the learning rate goes through its whole schedule in the recovery alone;
    tuning begins it again (Renda et al., 2020)."""

    own_schedule = True
