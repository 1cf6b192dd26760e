"""Images and labels from an .npz, in the layouts that are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from engine.contracts.errors import DataError
from engine.data.images import Decoded
from engine.data.sources.entries import named_of, readable
from engine.data.sources.limits import MOST_CLASSES, refuse_beyond_memory
from engine.data.sources.npz_images import as_images
from engine.data.sources.npz_labels import as_labels, shifted_to_zero
from engine.data.sources.npz_layouts import layout_of
from engine.data.sources.npz_members import open_members


def read_npz(path: Path, flips: bool = True) -> Decoded:
    """The data set in an .npz. Raises DataError."""
    with open_members(path) as members:
        layout = layout_of(members.file, members.keys)
        whole = sum(members.header(key).num_bytes for key in layout.keys.values())
        refuse_beyond_memory(members.file, whole, "its arrays")
        found = {name: members.array(key) for name, key in layout.keys.items()}
        extras = {name: members.array(key) for name, key in layout.extras.items()}
        file = members.file
    labels, label_notes = as_labels(file, {n: found[n] for n in found if n.startswith("y_")})
    images, image_notes = as_images(file, {n: found[n] for n in found if n.startswith("x_")})
    names = class_names(file, extras.get("classes"))
    if names is not None:
        labels, shift_notes = shifted_to_zero(file, labels, len(names))
    else:
        shift_notes = _note_on_zero(labels)
    classes = names if names is not None else _numbered(file, labels)
    class_notes = _notes_on_classes(labels, classes)
    return Decoded(
        readable(path.stem),
        classes,
        _truth(file, extras.get("flips"), flips),
        {**images, **labels},
        (*layout.notes, *label_notes, *shift_notes, *class_notes, *image_notes),
    )


def class_names(file: str, names: np.ndarray | None) -> tuple[str, ...] | None:
    """The names of the classes that an .npz holds, if any. Raises DataError."""
    if names is None:
        return None
    if names.ndim != 1 or len(names) > MOST_CLASSES:
        raise DataError(
            f"{file}: its classes are an array of shape {names.shape}; one name a class is needed, "
            f"at most {MOST_CLASSES:,}: classes=np.array(['cat', 'dog'])"
        )
    return tuple(_text(name) for name in names)


def _text(name: object) -> str:
    if not isinstance(name, bytes):
        return str(name)
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _numbered(file: str, labels: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Classes without names: as many as the largest training label needs."""
    high = int(labels["y_train"].max())
    if high >= MOST_CLASSES:
        raise DataError(
            f"{file}: its labels go up to {high:,}; they number the classes from 0 on, at most "
            f"{MOST_CLASSES:,} of them: y = np.unique(y, return_inverse=True)[1]"
        )
    return tuple(str(number) for number in range(high + 1))


def _note_on_zero(labels: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    if all(int(labels_N.min()) == 1 for labels_N in labels.values()):
        return (
            "no image has the label 0: where labels count from 1, subtract 1 from them, or save "
            "the names of the classes with them (classes=…)",
        )
    return ()


def _notes_on_classes(labels: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> Iterable[str]:
    """Classes that a split lacks, and names that several classes have."""
    for name, labels_N in labels.items():
        absent = sorted(set(range(len(classes))) - set(np.unique(labels_N).tolist()))
        if absent:
            yield f"{name} has none of {named_of([classes[i] for i in absent[:3]], len(absent))}"
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        yield f"several classes have the same name: {named_of(twice[:3], len(twice))}"


def _truth(file: str, flips: np.ndarray | None, usual: bool) -> bool:
    if flips is None:
        return usual
    if flips.size != 1 or flips.dtype.kind not in "bui":
        raise DataError(f"{file}: its flips must be one truth value: flips=True")
    return bool(flips.item())
