"""How people spell the splits, which they report by, and in which order classes are numbered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from engine.data.splits import num_held_out

T = TypeVar("T")
Labelled = Sequence[tuple[T, int]]  # with the number of their class
SPELLINGS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation"),
}
MOST_DIGITS = 18  # a longer name is no count of classes
_SPLIT_OF = {name: split for split, names in SPELLINGS.items() for name in names}


def split_named(folder: str) -> str | None:
    """The split (`train`, `test`, `val`) that a folder is named for, in whatever case."""
    return _SPLIT_OF.get(folder.casefold())


def lacking(splits: Mapping[str, Sequence[object]]) -> list[str]:
    """The splits without which nothing can be done."""
    needed = ("train",) if splits.get("val") else ("train", "test")
    return [split for split in needed if not splits.get(split)]


def with_test(splits: Mapping[str, Labelled[T]]) -> tuple[dict[str, Labelled[T]], tuple[str, ...]]:
    """Where nothing is in test/, val/ serves as the test images, as ImageNet's does for everybody;
    with what to tell of it.

    Others are then taken out of the training images to decide by: never is decided on images that
    figures are reported of.
    """
    if splits.get("test") or not splits.get("val"):
        return dict(splits), ()
    train, test = splits["train"], splits["val"]
    count = num_held_out(len(train), len({number for _, number in train}))
    note = (
        f"there are no images in test/: the {len(test):,} of val/ serve as the test images, and "
        f"{count:,} of the {len(train):,} of train/ are held out to decide by"
    )
    return {"train": train, "test": test}, (note,)


def in_order(classes: Iterable[str]) -> tuple[str, ...]:
    """Class names sorted; where all are numbers, as numbers: 2 before 10."""
    names = set(classes)
    if all(name.isascii() and name.isdecimal() and len(name) <= MOST_DIGITS for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))
