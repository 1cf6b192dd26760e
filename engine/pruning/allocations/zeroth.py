"""By how much the loss heeds each group, by forward passes alone (ECoFLaP: Sung et al., 2024).

Shape legend: B items.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engine.contracts.structure import UnitGroup
from engine.pruning.allocations.looking import losses_B, own_copy, probe_of
from engine.pruning.allocations.offer import Offer, Row, evenly
from engine.runtime.generators import generator

STEP = 1e-2  # of a weight, in one direction and the other
AMPLITUDE = 0.3  # of shares: one direction tells little, so that it is trusted little
TINY = 1e-30


def zeroth(offer: Offer) -> list[Row]:
    """Units go in proportion to a group's width, more quickly the less one of its units holds of
    the loss: by the logarithm of that around its mean, brought to [-1, 1], times an amplitude
    (their cap on a layer's sparsity). Two forwards a group."""
    found = sensitivities(offer)
    logs = {g.path: math.log(found[g.path] / g.num_units + TINY) for g in offer.groups}
    mean = sum(logs.values()) / len(logs)
    largest = max(abs(value - mean) for value in logs.values()) or 1.0
    speeds = {path: 1 - AMPLITUDE * (value - mean) / largest for path, value in logs.items()}
    return [Row((g.path,), evenly(g, offer.rooms[g.path], speeds[g.path])) for g in offer.groups]


@torch.inference_mode()
def sensitivities(offer: Offer) -> dict[str, float]:
    """By group, the mean over items of the squared change of an item's loss along a random
    direction, in which each weight moves in proportion to its size: (L(w + εz) - L(w - εz)) / 2ε.
    In expectation it is Σ w² (∂L/∂w)², what a group's units hold of the loss to
    second order (Theis et al., 2018). One direction does, for each item has a gradient of its own.
    """
    probe = probe_of(offer, "zeroth")
    network, batch = own_copy(probe)
    found = {}
    for done, group in enumerate(offer.groups):
        probe.monitor.step("perturbing", done, len(offer.groups))
        parts = _weights_of(group, network)
        noises = [_noise(offer.seed, group.path, i, part) for i, part in enumerate(parts)]
        differences_B = torch.zeros(len(batch), dtype=torch.float64, device=batch.targets.device)
        for sign in (1, -1):
            with _moved(parts, noises, sign * STEP):
                differences_B += sign * losses_B(network, batch)
        found[group.path] = float((differences_B / (2 * STEP)).square().mean())
    return found


def _weights_of(group: UnitGroup, network: nn.Module) -> list[tuple[Tensor, int, Tensor]]:
    """The parameters that make a group's units: tensor, axis, and the indices that are theirs."""
    read = {(consumer.tensor, consumer.axis) for consumer in group.consumers}
    parameters = dict(network.named_parameters(remove_duplicate=False))
    found: list[tuple[Tensor, int, Tensor]] = []
    for member in group.members:
        weight = parameters.get(member.tensor)
        if weight is None or (member.tensor, member.axis) in read:
            continue
        ids = torch.tensor(member.indices(range(group.num_units)), device=weight.device)
        found.append((weight, member.axis, ids))
    return found


def _noise(seed: int, path: str, number: int, part: tuple[Tensor, int, Tensor]) -> Tensor:
    weight, axis, ids = part
    shape = list(weight.shape)
    shape[axis] = len(ids)
    drawn = torch.randn(shape, generator=generator("zeroth", seed, path, number))
    return drawn.to(weight.device, weight.dtype)


@contextmanager
def _moved(
    parts: list[tuple[Tensor, int, Tensor]], noises: list[Tensor], step: float
) -> Iterator[None]:
    before = [weight.clone() for weight, _, _ in parts]
    try:
        for (weight, axis, ids), noise in zip(parts, noises, strict=True):
            weight.index_add_(axis, ids, step * noise * weight.index_select(axis, ids))
        yield
    finally:
        for (weight, _, _), old in zip(reversed(parts), reversed(before), strict=True):
            weight.copy_(old)
