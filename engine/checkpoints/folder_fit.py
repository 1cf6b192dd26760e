"""A network and the images of a data set, as far as its folder says what it was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.checkpoints import LoadedNetwork
from engine.checkpoints.image_fit import check_output
from engine.contracts.message_text import shown
from engine.data import ImageSet
from engine.measures.output import output_module_of
from engine.models.outputs import output_of


def fit_to(data: ImageSet, loaded: LoadedNetwork) -> tuple[str, ...]:
    """Puts the network's classes into the order of the data's where both are named, in place; gives
    what a person should know. Raises DataError where it cannot take these images, or has other
    classes."""
    folder = loaded.folder
    check_output(loaded.model, data.describe(), folder)
    notes = []
    height, width, _ = data.image_shape_HWC
    size = folder.image_size
    if size is not None and (height, width) != (size, size):
        notes.append(
            f"its folder says that its images have {size}×{size} pixels, those of {data.name} have "
            f"{width}×{height}: {folder.options} brings them to that size"
        )
    ordered = put_in_order(loaded.model, folder.classes, data)
    return (*notes, *([] if ordered is None else [ordered]))


def put_in_order(model: nn.Module, names: Sequence[str], data: ImageSet) -> str | None:
    """Changes the order of the rows of the classifier, in place, where the names of its outputs are
    those of the data in another order; gives what a person should know of it.

    A network of several classifiers whose outputs are mixed is left as it is.
    """
    ours, theirs = [_plain(name) for name in data.classes], [_plain(name) for name in names]
    if sorted(ours) != sorted(theirs) or len(set(ours)) < len(ours) or ours == theirs:
        return None
    told = f"its configuration names its classes in another order ({shown(names[0])} comes first)"
    places_K = torch.tensor([theirs.index(name) for name in ours])
    if not _reordered(model, places_K, data):
        return f"{told}; name the class folders so that they sort as it has them"
    return f"{told}: its outputs were put into the order of {data.name}"


def _plain(name: str) -> str:
    """A name without what differs between a label and a folder's name."""
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


@torch.no_grad()
def _reordered(model: nn.Module, places_K: torch.Tensor, data: ImageSet) -> bool:
    height, width, channels = data.image_shape_HWC
    draw = torch.Generator().manual_seed(0)
    images_BCHW = torch.randn((2, channels, height, width), generator=draw)
    module = model.get_submodule(output_module_of(model, images_BCHW))
    before_BK = output_of(model(images_BCHW))
    rows = [p for p in module.parameters(recurse=False) if len(p) == len(places_K)]
    kept = [parameter.clone() for parameter in rows]
    for parameter in rows:
        parameter.copy_(parameter[places_K])
    after_BK = output_of(model(images_BCHW))
    if rows and torch.allclose(after_BK, before_BK[:, places_K], rtol=1e-4, atol=1e-5):
        return True
    for parameter, values in zip(rows, kept, strict=True):
        parameter.copy_(values)
    return False
