"""What allocations share that run the network on a few items.

Shape legend: B items, K classes.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contracts.errors import EngineError
from engine.models.outputs import output_of
from engine.pruning.allocations.offer import Offer, Probe
from engine.runtime.device import torch_device
from engine.tasks import IGNORED, Batch
from engine.tasks.batch import run_on
from engine.tasks.task import of_items


def probe_of(offer: Offer, name: str) -> Probe:
    """The network and items of an offer. Raises EngineError where there are none."""
    if offer.probe is None:
        raise EngineError(f"--allocation {name} looks at training items, and there are none")
    return offer.probe


def own_copy(probe: Probe) -> tuple[nn.Module, Batch]:
    """A copy of the network in evaluation mode that may be changed, and its items, on the device
    that scoring runs on."""
    device = torch_device(probe.execution)
    network = copy.deepcopy(probe.model).eval().to(device)
    return network, of_items(probe.task, "train", probe.items()).to(device).contiguous()


def losses_B(network: nn.Module, batch: Batch) -> Tensor:
    """The mean cross-entropy of each item's rows (B), in double precision."""
    logits = output_of(run_on(network, batch.inputs)).double()
    asked = batch.targets != IGNORED
    each = F.cross_entropy(
        logits.flatten(0, -2), batch.targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).reshape(batch.targets.shape)
    rows = asked.flatten(1).sum(1) if asked.dim() > 1 else torch.ones_like(asked, dtype=torch.int64)
    return each.reshape(len(batch), -1).sum(1) / rows.clamp(min=1)
