"""How people spell the splits, and in which order classes are numbered."""

from __future__ import annotations

from collections.abc import Iterable

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


def in_order(classes: Iterable[str]) -> tuple[str, ...]:
    """Class names sorted; where all are numbers, as numbers: 2 before 10."""
    names = set(classes)
    if all(name.isascii() and name.isdecimal() and len(name) <= MOST_DIGITS for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))
