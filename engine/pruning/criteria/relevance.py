"""`lrp`: how much of an item's right logit comes through a unit, by the epsilon rule of layer-wise
relevance propagation (Bach et al., 2015, Eq. 58; for pruning Yeom et al., 2021).

A layer hands the relevance of its output z to its inputs in proportion to their parts of z, divided
by z + ε · sign(z). Relevance over activation then goes back as gradients do, scaled at each layer
with weights by z / (z + ε · sign(z)): relevance is activation times this gradient. All that comes
to a layer goes on to the one before, but for what biases take, in a network that is piecewise
linear; others are refused. A unit's score is |its relevance|, the mean over the rows, a block's
that of what it adds.

Shape legend: B items of a chunk. "…" are any axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.errors import CriterionError
from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.places import Key, Place
from engine.pruning.criteria.any_network.refusals import refused
from engine.pruning.criteria.any_network.signals import Look
from engine.pruning.criteria.any_network.taps import Tap, tapping
from engine.pruning.criteria.any_network.values import FORWARD_ERRORS
from engine.pruning.criteria.objectives import right_logit_of
from engine.pruning.criteria.taylor import changes, mean
from engine.runtime.generators import generator
from engine.tasks import Batch
from engine.tasks.batch import run_on

NAME = "lrp"
EPSILON = 1e-6
WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


@contextmanager
def epsilon_rule(network: nn.Module) -> Iterator[None]:
    """Within it, gradients of layers with weights are scaled as the rule has it."""
    modules = [module for module in network.modules() if isinstance(module, WEIGHTED)]
    handles = [module.register_forward_hook(_scaled) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _scaled(module: nn.Module, args: tuple[Any, ...], z: Tensor) -> Tensor:
    """The same value, through which z / (z + ε · sign(z)) of a gradient goes."""
    with torch.no_grad():
        sign = torch.where(z < 0, -1.0, 1.0).to(z)
        share = z / (z + EPSILON * sign)
        rest = z - z * share
    return z * share + rest


def check_piecewise_linear(network: nn.Module, batch: Batch, places: Mapping[Key, Place]) -> None:
    """Raises CriterionError where second derivatives behind the places are other than zero."""
    taps: list[Tap] = []
    draw = generator(NAME)
    try:
        with torch.enable_grad(), tapping(network, places, taps):
            logits = output_of(run_on(network, batch.inputs))
            inputs = [tap.own for tap in taps]
            once = _gradients([logits], inputs, draw, more=True)
            twice = _gradients(once, inputs, draw, more=False)
    except FORWARD_ERRORS as error:  # of most that has no second derivative, it is not zero
        raise _bent() from error
    if any(bool(each.any()) for each in twice):
        raise _bent()


def _gradients(
    values: Sequence[Tensor], inputs: Sequence[Tensor], draw: torch.Generator, more: bool
) -> list[Tensor]:
    """Those of a sum of the values in a direction that is drawn."""
    parts = [
        (value * torch.randn(value.shape, generator=draw).to(value)).sum()
        for value in values
        if value.requires_grad
    ]
    if not parts:
        return []
    found = torch.autograd.grad(
        torch.stack(parts).sum(), inputs, create_graph=more, allow_unused=True
    )
    return [each for each in found if each is not None]


def _bent() -> CriterionError:
    return refused(
        NAME,
        "hands relevance back through piecewise linear networks, and this one has attention, gates "
        "or smooth activations",
    )


LRP = Look(NAME, changes, mean, right_logit_of, epsilon_rule, check_piecewise_linear)
