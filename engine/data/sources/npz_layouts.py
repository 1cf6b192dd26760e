"""Which arrays of an .npz are images and labels, by the names that people give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.contracts.errors import DataError
from engine.contracts.message_text import shown
from engine.data.sources.entries import named_of
from engine.data.sources.split_names import SPELLINGS

# Names of images and of labels, with the split between the braces; the first is ours and Keras's.
LAYOUTS = (
    ("x_{}", "y_{}"),
    ("{}_images", "{}_labels"),  # MedMNIST
    ("{}_x", "{}_y"),
    ("{}_data", "{}_labels"),
    ("images_{}", "labels_{}"),
)
# Of one split alone, which need not be named.
BARE = (("x", "y"), ("images", "labels"), ("data", "labels"))
EXTRAS = ("classes", "flips")
NEEDED = "it needs x_train, y_train, x_test, y_test"
MOST_NAMED = 12


@dataclass(frozen=True)
class Layout:
    """Which key holds which array (`x_train`, …), which further ones there are, what to tell."""

    keys: Mapping[str, str]
    extras: Mapping[str, str]
    notes: tuple[str, ...] = ()


def layout_of(file: str, keys: Iterable[str]) -> Layout:
    """The layout of an .npz by the names of its arrays. Raises DataError, naming them."""
    keys = list(keys)
    by_name: dict[str, str] = {}
    for key in sorted(keys, key=str.islower):  # x_train before X_TRAIN
        by_name[key.casefold()] = key
    found = [_found(by_name, *pair) for pair in LAYOUTS]
    # The one that has most, the earlier where several have as many.
    best = max(found, key=lambda arrays: len(set(arrays) - {"x_val", "y_val"}))
    missing = [name for name in ("x_train", "y_train", "x_test", "y_test") if name not in best]
    if missing:
        is_named = named_of(keys[:MOST_NAMED], len(keys)) if keys else "nothing"
        lacks = ", ".join(missing) if best else "images and labels by names that are known"
        raise DataError(f"{file} lacks {lacks}; found {is_named}; {NEEDED}")
    for one, other in (("x_val", "y_val"), ("y_val", "x_val")):
        if one in best and other not in best:
            raise DataError(
                f"{file} has {shown(best[one])} but not what belongs to it; add {other}, or leave "
                f"{shown(best[one])} out (training images are then held out for validation)"
            )
    extras = {name: by_name[name] for name in EXTRAS if name in by_name}
    return Layout(best, extras, tuple(_notes(best, extras, keys)))


def pairs_in(keys: Iterable[str]) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """The keys of images and labels by their split, empty where none is named, and of further
    arrays: for a file that need not be a whole data set."""
    by_name = {key.casefold(): key for key in sorted(keys, key=str.islower)}
    pairs: dict[str, tuple[str, str]] = {}
    for layout in LAYOUTS:
        found = _found(by_name, *layout)
        for split in SPELLINGS:
            if f"x_{split}" in found and f"y_{split}" in found:
                pairs.setdefault(split, (found[f"x_{split}"], found[f"y_{split}"]))
    for images, labels in BARE:
        if not pairs and images in by_name and labels in by_name:
            pairs[""] = by_name[images], by_name[labels]
    return pairs, {name: by_name[name] for name in EXTRAS if name in by_name}


def _found(by_name: Mapping[str, str], images: str, labels: str) -> dict[str, str]:
    arrays = {}
    for split, spellings in SPELLINGS.items():
        for short, pattern in (("x", images), ("y", labels)):
            names = (pattern.format(spelled) for spelled in spellings)
            key = next((by_name[name] for name in names if name in by_name), None)
            if key is not None:
                arrays[f"{short}_{split}"] = key
    return arrays


def _notes(arrays: Mapping[str, str], extras: Mapping[str, str], keys: list[str]) -> Iterable[str]:
    renamed = [f"{shown(key)} is taken as {name}" for name, key in arrays.items() if key != name]
    if renamed:
        yield ", ".join(renamed)
    unused = [key for key in keys if key not in {*arrays.values(), *extras.values()}]
    if unused:
        yield f"not read: {named_of(unused[:MOST_NAMED], len(unused))}"
