"""Of what gradients are taken, item by item.

Shape legend: B items, K classes. "…" is what an item's rows are along.
"""

from __future__ import annotations

from torch import Tensor

from engine.pruning.criteria.sums import summed_by_item


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy of each item (B), added up over the places at which something is asked."""
    return -_at_targets(logits.log_softmax(-1), targets)


def right_logit_of(logits: Tensor, targets: Tensor) -> Tensor:
    """The logit of each item's own class (B), added up likewise."""
    return _at_targets(logits, targets)


def _at_targets(values: Tensor, targets: Tensor) -> Tensor:
    chosen = values.gather(-1, targets.clamp_min(0)[..., None])[..., 0]
    return summed_by_item(chosen, targets)
