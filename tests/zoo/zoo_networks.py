"""The networks of the zoo: by reference, with the arguments that make them small where they can be.

Weights are random, nothing is fetched. Names are those of the registries: what a library no longer
has is told by `names`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from engine.contracts.errors import UnknownFamilyError
from engine.models.libraries import factory_of
from engine.models.preparations import prepare

NUM_CLASSES = 10
# Pixels, the smallest first; 64 is where the search itself looks.
SIZES = (64, 96, 128, 160, 192, 224, 240, 256, 288, 299, 320, 331, 384, 448, 512)

# One or more of each family of timm.
TIMM = Path(__file__).with_name("timm.txt").read_text().split()

_ENCODER = dict(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96)
_VISION = dict(**_ENCODER, image_size=64, patch_size=8)
_SWIN = dict(image_size=64, patch_size=4, embed_dim=24, depths=[2, 2], num_heads=[2, 4])
_STAGES = dict(hidden_sizes=[16, 32, 48, 64], depths=[2, 2, 2, 2])
_FEW_HEADS = dict(num_attention_heads=[1, 2, 4, 4])
# Kinds of transformers' image classifiers, by what their configuration says.
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "beit": _VISION,
    "bit": dict(**_STAGES, embedding_size=16, num_groups=8),
    "convnext": _STAGES,
    "convnextv2": _STAGES,
    "cvt": dict(embed_dim=[16, 32, 48], num_heads=[1, 2, 3], depth=[1, 2, 3]),
    "data2vec-vision": _VISION,
    "deit": _VISION,
    "dinov2": {**_VISION, "mlp_ratio": 2},
    "dinov2_with_registers": {**_VISION, "mlp_ratio": 2},
    "donut-swin": dict(**_SWIN, window_size=4),
    "efficientnet": dict(width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=640),
    "focalnet": dict(image_size=64, embed_dim=16, depths=[2, 2, 2], focal_levels=[2, 2, 2],
                     focal_windows=[3, 3, 3], hidden_sizes=[32, 48, 64]),
    "hgnet_v2": {},
    "hiera": dict(image_size=[64, 64], embed_dim=32, depths=[1, 2, 2], num_heads=[1, 2, 4],
                  num_query_pool=2),
    "ijepa": _VISION,
    "levit": dict(image_size=64),
    "mobilenet_v1": {},
    "mobilenet_v2": {},
    "mobilevit": {},
    "mobilevitv2": {},
    "poolformer": dict(hidden_sizes=[16, 32, 48, 64]),
    "pp_lcnet": {},
    "pvt": dict(**_STAGES, **_FEW_HEADS, image_size=64),
    "pvt_v2": dict(**_STAGES, **_FEW_HEADS, image_size=64),
    "regnet": dict(**_STAGES, embedding_size=16, groups_width=8),
    "resnet": dict(**_STAGES, embedding_size=16),
    "segformer": dict(**_STAGES, **_FEW_HEADS),
    "swiftformer": dict(depths=[2, 2, 2, 2], embed_dims=[16, 32, 48, 64]),
    "swin": dict(**_SWIN, window_size=4),
    "swinv2": dict(**_SWIN, window_size=4),
    "textnet": {},
    "vit": _VISION,
    "vit_msn": _VISION,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A network of the zoo. `sizes`: pixels to be tried."""

    reference: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sizes: Sequence[int] = SIZES
    parameters: int = 30_000_000  # about; the smallest are done first

    @property
    def library(self) -> str:
        return self.reference.partition(":")[0]

    def makings(self) -> Iterator[nn.Module]:
        """The network as pe-explore opens it, with random weights: made for small images where it
        is made for one size and says so, then as it is."""
        for more in ({"img_size": SIZES[0]}, {}) if self.library == "timm" else ({},):
            try:
                model = factory_of(self.reference)(**self.arguments, **more)
            except UnknownFamilyError:
                if not more:
                    raise
                continue
            prepare(model)
            yield model.eval()


def torchvision_entries() -> list[Entry]:
    from torchvision import models

    entries = []
    for name in models.list_models(module=models):
        arguments = {"num_classes": NUM_CLASSES}
        if name.startswith("vit_"):
            arguments["image_size"] = 70 if name == "vit_h_14" else 64
        sizes = (arguments["image_size"],) if "image_size" in arguments else SIZES
        parameters = models.get_model_weights(name).DEFAULT.meta["num_params"]
        entries.append(Entry(f"torchvision.models:{name}", arguments, sizes, parameters))
    return entries


def timm_entries() -> list[Entry]:
    return [Entry(f"timm:{name}", {"num_classes": NUM_CLASSES}) for name in TIMM]


def transformers_entries() -> list[Entry]:
    return [
        Entry(f"transformers:{name}", {**config, "num_labels": NUM_CLASSES}, parameters=0)
        for name, config in TRANSFORMERS.items()
    ]


def all_entries() -> list[Entry]:
    return [*torchvision_entries(), *timm_entries(), *transformers_entries()]
