"""What a library's own weights call their classes: known where a file is certainly one of theirs.

Libraries end the names of their files with the first digits of the SHA-256. Who has learnt further,
even with such weights, has another file, and an order of classes that is theirs to say.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from engine.contracts.references import TIMM, TORCHVISION, library_of, name_of

IMAGENET_CLASSES = 1000
# Of ImageNet-1k's wordnet ids, sorted, a line each: they are its classes in the order of outputs.
_IMAGENET_IDS = "385e0240499426c022b773be1ae4da780f057b89c9694c7f47199f62746b6edd"
_WORDNET_ID = re.compile(r"n\d{8}")
_DIGITS = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


def own_classes(reference: str, digest: str) -> tuple[str, ...]:
    """The names of the outputs of a registry's network with the weights of a file that has this
    SHA-256; none where that is not one of the library's, or it does not name them."""
    if library_of(reference) == TORCHVISION:
        from torchvision import models

        for each in models.get_model_weights(name_of(reference)):
            if _is_of(each.url, digest):
                return tuple(each.meta.get("categories") or ())
    if library_of(reference) == TIMM:
        from timm.models import get_pretrained_cfg

        config = get_pretrained_cfg(name_of(reference))
        if config is not None and _is_of(config.url or "", digest):
            return tuple(config.label_names or ()) or _by_number(config.num_classes)
    return ()


def _by_number(count: int | None) -> tuple[str, ...]:
    """timm's weights for a thousand classes are for those of ImageNet-1k, as torchvision's are."""
    from torchvision.models import ResNet18_Weights

    names = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    return tuple(names) if count == IMAGENET_CLASSES else ()


def _is_of(url: str, digest: str) -> bool:
    found = _DIGITS.search(url)
    return found is not None and digest.startswith(found[1])


def are_wordnet_ids(classes: Sequence[str]) -> bool:
    """Whether classes are called as in ImageNet's folders: n01440764."""
    return all(_WORDNET_ID.fullmatch(name) for name in classes)


def are_imagenets(ids: Sequence[str]) -> bool:
    """Whether these wordnet ids, in this order, are the classes of ImageNet-1k."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest() == _IMAGENET_IDS
