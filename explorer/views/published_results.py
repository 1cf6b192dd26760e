"""Published results on CIFAR-10, to be seen beside one's own on the Pareto plot.

From arXiv:2506.04513, its Table I (ResNet56, ResNet110), Table V (ResNet32, ResNet44) and its
text. The copy of Table I that was at hand is damaged from the row of ATO on: signs are lost and
accuracies stand one row too low, so of the rows below it only those are here whose sign, change
and reduction can be read beyond doubt. "Ours" is the paper's own method. Changes are in points of
test accuracy against each paper's own unpruned network, reductions are of multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from explorer.views.root_network import root_network


class Published(NamedTuple):
    """One published network: change of accuracy in points, reduction of MACs in percent."""

    method: str
    delta_accuracy: float
    macs_reduction: float


_BY_DEPTH: dict[int, tuple[Published, ...]] = {
    32: (
        Published("DAIS (2023)", 0.57, 53.90),
        Published("SOKS (2023)", -0.80, 54.58),
        Published("Pons et al. (2024)", 0.05, 54.61),
        Published("Ours", 0.71, 57.40),
        Published("Pons et al. (2024)", -0.18, 61.44),
        Published("Ours", 0.09, 61.99),
        Published("Ours", -2.83, 87.06),
        Published("Ours", -7.63, 96.15),
    ),
    44: (
        Published("Pons et al. (2024)", 0.22, 62.95),
        Published("Ours", 0.66, 71.31),
        Published("Ours", -1.26, 83.19),
    ),
    56: (
        Published("DECORE (2022)", 0.08, 26.30),
        Published("HALP (2022)", 0.03, 33.72),
        Published("SOKS (2023)", 0.16, 35.91),
        Published("Pons et al. (2024)", 1.25, 37.52),
        Published("Ours", 1.06, 39.10),
        Published("GKP-TMI (2022)", 0.22, 43.23),
        Published("GCNP (2022)", 0.13, 48.31),
        Published("Pons et al. (2024)", 0.86, 48.78),
        Published("Tunkan et al. (2022)", -0.65, 50.00),
        Published("RLAL (2024)", 0.45, 50.00),
        Published("UDSP (2024)", 0.66, 50.1),
        Published("Ours", 0.95, 50.36),
        Published("Ours", 0.91, 53.70),
        Published("GNN-RL (2022)", 0.10, 54.00),
        Published("Ours", 0.19, 72.67),  # from the text
    ),
    110: (Published("DECORE (2022)", 0.38, 35.43),),
}


def published_for(architecture: Mapping[str, object], data_name: str) -> list[Published]:
    """What is published for a run's root: an unpruned ResNet32, 44, 56 or 110 on CIFAR-10;
    nothing for any other network or data."""
    if not data_name.lower().replace("-", "").startswith("cifar10") or "100" in data_name:
        return []
    network = root_network(architecture)
    if network is None or network.edits:
        return []
    about = network.arguments
    if about.stage_widths != (16, 32, 64) or about.stem_width != 16:
        return []
    if about.num_classes != 10 or about.in_channels != 3:
        return []
    num_blocks = len(about.inner_widths[0]) if about.inner_widths else 0
    if about.inner_widths != tuple((width,) * num_blocks for width in about.stage_widths):
        return []
    return list(_BY_DEPTH.get(6 * num_blocks + 2, ()))
