"""Families of networks for small images that are recognised by the tensors of public code.

What can go of them is found by running them, as of any network.
"""

from __future__ import annotations

from engine.models.families.bottleneck_resnet import BOTTLENECK
from engine.models.families.densenet import DENSENET
from engine.models.families.family import Family, NotOfFamilyError, Shapes, Variant
from engine.models.families.mobilenet_v2 import MOBILENET
from engine.models.families.preact_resnet import PREACT
from engine.models.families.vgg import VGG

# In this order they are looked for: the first that tensors look like.
RECOGNISED: dict[str, Family] = {
    "cifar_vgg": VGG,
    "cifar_densenet": DENSENET,
    "cifar_mobilenet_v2": MOBILENET,
    "cifar_preact_resnet": PREACT,
    "cifar_bottleneck_resnet": BOTTLENECK,
}

__all__ = ["RECOGNISED", "Family", "NotOfFamilyError", "Shapes", "Variant"]
