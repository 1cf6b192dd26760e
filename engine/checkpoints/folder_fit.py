"""A network and the images of a data set, as far as its folder or its library says what it was
trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.checkpoints import LoadedNetwork
from engine.checkpoints.image_fit import check_output
from engine.contracts.errors import DataError
from engine.contracts.message_text import shown
from engine.data import ImageSet
from engine.measures.output import output_module_of
from engine.models.outputs import output_of
from engine.models.own_weights import (
    IMAGENET_CLASSES,
    are_imagenets,
    are_wordnet_ids,
    own_classes,
)


class OtherClassesError(DataError):
    """A network that tells as many other classes apart."""


def fit_to(data: ImageSet, loaded: LoadedNetwork) -> tuple[str, ...]:
    """Puts the network's classes into the order of the data's where both are named, in place; gives
    what a person should know. Raises DataError where it cannot take these images, or has other
    classes (OtherClassesError where only their names say so)."""
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
    names, who = folder.classes, "its configuration"
    if not names:
        reference = loaded.architecture.factory
        names, who = own_classes(reference, loaded.digest), "its library"
        if names:
            _check_same_classes(data, names)
    ordered = put_in_order(loaded.model, names, data, who)
    return (*notes, *([] if ordered is None else [ordered]))


def _check_same_classes(data: ImageSet, names: Sequence[str]) -> None:
    """Raises OtherClassesError for wordnet ids of other classes than those of ImageNet-1k."""
    ids = data.classes
    if len(ids) != IMAGENET_CLASSES or not are_wordnet_ids(ids) or are_imagenets(sorted(ids)):
        return
    raise OtherClassesError(
        f"the {len(ids):,} classes of {data.name} ({shown(ids[0])}, {shown(ids[1])}, …) are not "
        f"those of ImageNet-1k that these weights know ({shown(names[0])}, {shown(names[1])}, …); "
        "give its images, or have the network learn these first: pe-explore train MODEL"
    )


def put_in_order(
    model: nn.Module, names: Sequence[str], data: ImageSet, who: str = "its configuration"
) -> str | None:
    """Changes the order of the rows of the classifier, in place, where the names of its outputs are
    those of the data in another order; gives what a person should know of it.

    A network of several classifiers whose outputs are mixed is left as it is.
    """
    places = _places(data.classes, names)
    if places is None or places == list(range(len(places))):
        return None
    told = f"{who} names its classes in another order ({shown(names[0])} comes first)"
    if not _reordered(model, torch.tensor(places), data):
        return f"{told}; name the class folders so that they sort as it has them"
    return f"{told}: its outputs were put into the order of {data.name}"


def _places(classes: Sequence[str], names: Sequence[str]) -> list[int] | None:
    """Where each class stands among names of the same classes; None where they are not the same.

    Of ImageNet's names two differ in nothing but their first letter's case.
    """
    for spelled in (_plain, lambda name: _plain(name).casefold()):
        ours = list(map(spelled, classes))
        theirs = {spelled(name): place for place, name in enumerate(names)}
        if len(theirs) == len(names) == len(ours) and theirs.keys() == set(ours):
            return [theirs[name] for name in ours]
    return None


def _plain(name: str) -> str:
    """A name without what differs between a label and a folder's name, its case apart."""
    return " ".join(name.replace("_", " ").replace("-", " ").split())


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
