"""Folders and zips as earlier versions read them, so that trees grown on them can go on.

Only train/, test/ and val/, spelled so; only images directly in a class folder, hidden ones too;
class folders sorted as text. A run is given this reading only where its digest agrees.
"""

from __future__ import annotations

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain
from engine.data.sources.collector import Collected
from engine.data.sources.entries import Entry, Listing


def collect_as_before(name: str, listing: Listing) -> Collected:
    """The data set in a listing, by the rules of before. Raises DataError."""
    found: dict[str, list[tuple[Entry, str]]] = {"train": [], "test": [], "val": []}
    for entry in listing.entries:
        parts = entry.raw.split("/")
        if len(parts) >= 3 and parts[-3] in found and not entry.linked:
            found[parts[-3]].append((entry, parts[-2]))
    classes = tuple(sorted({class_name for _, class_name in found["train"]}))
    number = {class_name: i for i, class_name in enumerate(classes)}
    if not found["test"] or any(c not in number for members in found.values() for _, c in members):
        raise DataError(f"{plain(name)} could not be read by earlier versions")
    if any(entry.fault for members in found.values() for entry, _ in members):
        raise DataError(f"{plain(name)} could not be read by earlier versions")
    splits = {
        split: tuple((entry, number[class_name]) for entry, class_name in members)
        for split, members in found.items()
        if members
    }
    return Collected(name, classes, splits)
