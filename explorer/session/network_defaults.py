"""Defaults that depend on the network: what is exact on a CIFAR ResNet takes hours on others."""

from __future__ import annotations

from collections.abc import Collection

from engine.contracts.options import SettingValue
from engine.contracts.settings import Settings, with_values
from engine.contracts.structure import NetworkStructure

IMAGES = 500  # to score with in all, of networks that are not scored exactly


def with_network_defaults(
    settings: Settings,
    given: Collection[str],
    structure: NetworkStructure | None,
    num_classes: int,
) -> Settings:
    """The settings, with the criterion that suits a network in place of what nobody has `given`;
    a preset, or the sample's settings, may ask for fewer images than suit it.

    A CIFAR ResNet has a fast exact KL, so nothing changes for it. Of networks with attention
    `kl-fisher` is nearly as good and by far the quickest, of others `kl-fast` is better
    (benchmarks/RESULTS.md).
    """
    if structure is None or structure.read_off:
        return settings
    values: dict[str, SettingValue] = {}
    if "criterion" not in given:
        has_heads = any(group.kind == "head" for group in structure.groups)
        values["criterion"] = "kl-fisher" if has_heads else "kl-fast"
    if "criterion_samples" not in given:
        most = max(1, IMAGES // max(1, num_classes))
        values["criterion_samples"] = min(settings.scoring.criterion_samples, most)
    return with_values(settings, values)
