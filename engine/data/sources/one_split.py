"""Which images of a listing decide, where it is not a whole data set but a person's validation
images: in class folders, alone or below one split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from copy import deepcopy
from typing import TypeVar

from engine.contracts.errors import DataError
from engine.contracts.message_text import listed, plain, shown
from engine.contracts.near import did_you_mean
from engine.data.sources.collector import NO_CLASS, Collected, refuse_faults, visible_of
from engine.data.sources.entries import Entry, Listing, images_of, named_of
from engine.data.sources.shards import Sample
from engine.data.sources.split_names import split_named

T = TypeVar("T")
VALIDATION = "val"
NEEDED = "a folder or .zip of <class>/* or val/<class>/*, tar shards, or an .npz with x_val, y_val"


def the_one_split(name: str, found: Collection[str], where: str) -> str:
    """The split of a person's file that decides: val, or the only one. Raises DataError."""
    if VALIDATION in found:
        return VALIDATION
    if len(found) == 1:
        return next(iter(found))
    raise DataError(
        f"--validation-from: {plain(name)} has {' and '.join(sorted(s or 'others' for s in found))}"
        f", and nothing says which of them are to decide; {where}"
    )


def other_splits(found: Collection[str], used: str) -> tuple[str, ...]:
    """Word of what lies beside the images that decide, and is not read."""
    others = sorted(split for split in found if split and split != used)
    return (f"--validation-from: its {' and '.join(others)} are not read",) if others else ()


def collect_validation(name: str, listing: Listing, classes: Sequence[str]) -> Collected:
    """The images of a folder or archive that decide, by the classes of the data. Raises DataError,
    naming the folder that is of no class."""
    left_out = deepcopy(listing.left_out)
    by_split: dict[str, list[tuple[Entry, int]]] = defaultdict(list)
    strangers: list[str] = []
    numbers = {class_name: number for number, class_name in enumerate(classes)}
    for entry in visible_of(listing.entries, left_out):
        *folders, _ = entry.path.split("/")
        split, class_name = _place(folders, numbers)
        if class_name is None:
            left_out.add(NO_CLASS, entry.path)
        elif class_name in numbers:
            by_split[split].append((entry, numbers[class_name]))
        else:
            strangers.append(class_name)
    if strangers:
        raise _stranger(name, strangers[0], classes)
    if not by_split:
        there = ", ".join(("no images in class folders", *left_out.notes()))
        raise DataError(f"--validation-from: {plain(name)} has {there}; it needs {NEEDED}")
    used = the_one_split(name, by_split, "give the folder of one of them, or name it val/")
    members = tuple(by_split[used])
    refuse_faults(name, {VALIDATION: members})
    told = (*other_splits(by_split, used), *listing.notes, *left_out.notes())
    notes = (*told, *absent(members, classes))
    return Collected(name, tuple(classes), {VALIDATION: members}, notes)


def _place(folders: Sequence[str], classes: Collection[str]) -> tuple[str, str | None]:
    """The split, empty where there is none, and the class of what lies in these folders."""
    splits = [level for level, folder in enumerate(folders) if split_named(folder)]
    of_class = [level for level, folder in enumerate(folders) if folder in classes]
    # A class may be called test too: what lies right below a split is meant first.
    below = [level for level in of_class if level - 1 in splits]
    level = next(iter(below or of_class), None)
    if level is None:
        last = folders[splits[0] + 1 :][:1] if splits else folders[-1:]
        return "", last[0] if last else None
    above = [split_named(folders[each]) or "" for each in splits if each < level]
    return (above[-1] if above else ""), folders[level]


def label_of(name: str, sample: Sample, numbers: dict[str, int], classes: Sequence[str]) -> int:
    """The class of an image in a shard: by its name, else by its number. Raises DataError."""
    label = sample.label
    if label in numbers:
        return numbers[label]
    if label.isascii() and label.isdecimal() and len(label) < 9 and int(label) < len(classes):
        return int(label)
    raise _stranger(name, label, classes)


def _stranger(name: str, stranger: str, classes: Sequence[str]) -> DataError:
    return DataError(
        f"--validation-from: {plain(name)} has images of {shown(stranger)}, which is no class of "
        f"the data; {did_you_mean(stranger, classes)}its classes are "
        f"{listed(shown(each) for each in classes)}"
    )


def absent(members: Sequence[tuple[T, int]], classes: Sequence[str]) -> tuple[str, ...]:
    """Word of the classes that no image is of, and of how many images there are."""
    missing = sorted(set(range(len(classes))) - {number for _, number in members})
    if not missing:
        return ()
    names = named_of([classes[number] for number in missing[:3]], len(missing))
    return (f"--validation-from: its {images_of(len(members))} have none of {names}",)
