"""A person's validation images that are arrays: one split of an .npz, or two IDX files.

Shape legend: N images.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.contracts.errors import DataError
from engine.contracts.message_text import listed, shown
from engine.data.images import Decoded
from engine.data.sources.entries import named_of, readable
from engine.data.sources.idx import pair_of
from engine.data.sources.limits import refuse_beyond_memory
from engine.data.sources.npz import class_names
from engine.data.sources.npz_images import as_images
from engine.data.sources.npz_labels import as_labels, shifted_to_zero
from engine.data.sources.npz_layouts import MOST_NAMED, pairs_in
from engine.data.sources.npz_members import open_members
from engine.data.sources.one_split import NEEDED, other_splits, the_one_split

WHERE = "save those that are as x_val and y_val"


def read_validation_npz(path: Path, classes: Sequence[str]) -> Decoded:
    """The images of an .npz that decide, as x_val and y_val. Raises DataError."""
    with open_members(path) as members:
        file = members.file
        pairs, extras = pairs_in(members.keys)
        if not pairs:
            there = named_of(list(members.keys)[:MOST_NAMED], len(members.keys)) or "nothing"
            raise DataError(f"--validation-from: {file} has {there}; it needs {NEEDED}")
        used = the_one_split(file, pairs, WHERE)
        images_key, labels_key = pairs[used]
        whole = sum(members.header(key).num_bytes for key in pairs[used])
        refuse_beyond_memory(file, whole, "its arrays")
        images, image_notes = as_images(file, {"x_val": members.array(images_key)})
        labels, label_notes = as_labels(file, {"y_val": members.array(labels_key)})
        names = class_names(file, members.array(extras["classes"]) if "classes" in extras else None)
    shifts: tuple[str, ...] = ()
    if names is not None:
        labels, shifts = shifted_to_zero(file, labels, len(names))
        labels = {"y_val": _renumbered(file, labels["y_val"], names, classes)}
    notes = (*other_splits(pairs, used), *label_notes, *shifts, *image_notes)
    return Decoded(readable(path.stem), tuple(classes), True, {**images, **labels}, notes)


def _renumbered(
    file: str, labels_N: np.ndarray, names: Sequence[str], classes: Sequence[str]
) -> np.ndarray:
    """Labels that number a file's own names as those of the data. Raises DataError."""
    if tuple(names) == tuple(classes):
        return labels_N
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise DataError(
            f"--validation-from: {file} has the classes {listed(map(shown, names))}, and "
            f"{shown(unknown[0])} is none of the data's ({listed(map(shown, classes))})"
        )
    if labels_N.min() < 0 or labels_N.max() >= len(names):
        return labels_N  # whoever checks the labels says so
    renumbered_N: np.ndarray = np.array([classes.index(name) for name in names])[labels_N]
    return renumbered_N


def read_validation_idx(folder: Path, classes: Sequence[str]) -> Decoded:
    """The images of one pair of IDX files, as x_val and y_val. Raises DataError."""
    found: Mapping[str, dict[str, np.ndarray]] = {
        split: pair for split in ("train", "test") if (pair := pair_of(folder, split))
    }
    name = readable(folder.name)
    used = the_one_split(name, found, "give a folder with the two files of one of them")
    pair = found[used]
    return Decoded(name, tuple(classes), True, {"x_val": pair["x"], "y_val": pair["y"]})


def checked(data: Decoded, classes: Collection[str]) -> Decoded:
    """The images, as many as their labels, which are of the data's classes. Raises DataError."""
    images, labels_N = data.arrays["x_val"], data.arrays["y_val"]
    if len(images) != len(labels_N):
        raise DataError(
            f"--validation-from: {shown(data.name)} has {len(images):,} images and "
            f"{len(labels_N):,} labels; as many labels as images are needed"
        )
    low, high = int(labels_N.min()), int(labels_N.max())
    if low < 0 or high >= len(classes):
        raise DataError(
            f"--validation-from: labels of {shown(data.name)} run from {low} to {high}, but the "
            f"data have {len(classes)} classes; labels must be 0 to {len(classes) - 1}"
        )
    if len(labels_N) < len(classes):
        raise DataError(
            f"--validation-from: {shown(data.name)} has {len(labels_N):,} images, fewer than the "
            f"{len(classes)} classes of the data; too few to decide by"
        )
    return replace(data, arrays={**data.arrays, "y_val": labels_N.astype(np.int64)})
