"""What belongs to which split and class, what was left out and why: one rule for folders and zips.

It looks at names only. Whoever decodes, now or image by image, does what it says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain, shown
from engine.contracts.near import did_you_mean
from engine.data.sources.entries import Entry, LeftOut, Listing, images_of, is_system_name, named_of
from engine.data.sources.split_names import (
    SPELLINGS,
    Labelled,
    in_order,
    lacking,
    split_named,
    with_test,
)

NEEDED = "it needs train/<class>/* and test/<class>/* (or val/<class>/*)"
HIDDEN = "hidden files and those that systems leave behind"
NO_CLASS = "images that lie in no class folder"
NO_SPLIT = "images that lie in no split"
MOST_FOLDERS_NAMED = 6


@dataclass(frozen=True)
class Collected:
    """Which image belongs to which split and class, in a fixed order, with what is to be told."""

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Labelled[Entry]]
    notes: tuple[str, ...] = ()

    @property
    def num_images(self) -> int:
        return sum(len(members) for members in self.splits.values())


@dataclass(frozen=True)
class _Place:
    """Where the files of one folder belong."""

    split: str
    class_name: str
    data_root: str  # the folder that holds the splits
    split_folder: str
    class_folder: str  # as its source spells it


def collect(name: str, listing: Listing) -> Collected:
    """The data set in a listing of files. Raises DataError, saying what is there instead."""
    left_out = deepcopy(listing.left_out)
    visible = visible_of(listing.entries, left_out)
    places = _places({(_folder(e.path), _folder(e.raw)) for e in visible})
    members: dict[str, list[tuple[Entry, str]]] = defaultdict(list)
    for entry in visible:
        place = places[_folder(entry.path), _folder(entry.raw)]
        if isinstance(place, _Place):
            members[place.split].append((entry, place.class_name))
        else:
            left_out.add(place, entry.path)
    found_at = [place for place in places.values() if isinstance(place, _Place)]
    _refuse_two_spellings(name, found_at)
    _refuse_missing_splits(name, members, visible, left_out)
    classes = _classes(name, members)
    refuse_faults(name, members)
    number = {class_name: i for i, class_name in enumerate(classes)}
    splits = {
        split: tuple((entry, number[class_name]) for entry, class_name in members[split])
        for split in SPELLINGS
        if members[split]
    }
    with_all, told = with_test(splits)
    notes = (
        *_notes_on_places(found_at),
        *told,
        *_notes_on_classes(classes, splits),
        *listing.notes,
        *left_out.notes(),
    )
    return Collected(name, classes, with_all, notes)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def visible_of(entries: Iterable[Entry], left_out: LeftOut) -> list[Entry]:
    """The entries that are neither hidden nor in a hidden folder."""
    hidden: dict[str, bool] = {}
    visible = []
    for entry in entries:
        folder, _, file_name = entry.path.rpartition("/")
        if folder not in hidden:
            hidden[folder] = any(map(is_system_name, folder.split("/")))
        if hidden[folder] or is_system_name(file_name):
            left_out.add(HIDDEN, entry.path)
        else:
            visible.append(entry)
    return visible


# ------------------------------------------------------------ where a file belongs


def _places(folders: Iterable[tuple[str, str]]) -> dict[tuple[str, str], _Place | str]:
    """The place of each folder's files, or why they have none."""
    folders = list(folders)
    roots = _data_roots(path for path, _ in folders)
    return {(path, raw): _place(path, raw, roots) for path, raw in folders}


def _data_roots(folders: Iterable[str]) -> set[str]:
    """The folders in which a train split lies beside another: a class may be called `test` too."""
    splits_in: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        parts = folder.split("/")
        for level, part in enumerate(parts):
            split = split_named(part)
            if split is not None:
                splits_in["/".join(parts[:level])].add(split)
    return {folder for folder, splits in splits_in.items() if "train" in splits and len(splits) > 1}


def _place(path: str, raw: str, roots: set[str]) -> _Place | str:
    parts = path.split("/")
    levels = [level for level, part in enumerate(parts) if split_named(part) is not None]
    if not levels:
        return NO_SPLIT
    # train/train/x.png is of the class "train"; where train/ holds train/ and test/, it is not.
    level = next((n for n in levels if "/".join(parts[:n]) in roots), levels[0])
    split = split_named(parts[level])
    assert split is not None
    if level + 1 == len(parts):
        return NO_CLASS
    return _Place(
        split=split,
        class_name=parts[level + 1],
        data_root="/".join(parts[:level]),
        split_folder=parts[level],
        class_folder=_as_spelled(raw, len(parts) - level - 1),
    )


def _as_spelled(raw: str, from_end: int) -> str:
    """A folder as its source calls it; archives may have further parts in front."""
    parts = [part for part in raw.replace("\\", "/").split("/") if part not in ("", ".")]
    return parts[-from_end] if from_end <= len(parts) else raw


# ------------------------------------------------------------ what cannot be used


def _refuse_two_spellings(name: str, places: Iterable[_Place]) -> None:
    folders = defaultdict(set)
    for place in places:
        folders[place.data_root, place.split].add(place.split_folder)
    for (_, split), spelled in sorted(folders.items()):
        if len(spelled) > 1:
            names = " and ".join(f"{shown(folder)}" for folder in sorted(spelled))
            raise DataError(
                f"{plain(name)} has {names}, which both stand for its {split} split; put their "
                "images together, or rename the one that is not meant"
            )


def _refuse_missing_splits(
    name: str,
    splits: Mapping[str, list[tuple[Entry, str]]],
    entries: list[Entry],
    left_out: LeftOut,
) -> None:
    missing = lacking(splits)
    if not missing:
        return
    lacks = " and ".join(f"{split}/<class>/" for split in missing)
    found = _what_is_there(entries, left_out)
    if num_without_class := left_out.counts[NO_CLASS]:
        found += f", {images_of(num_without_class)} of them in a split but in no class folder"
    raise DataError(f"{plain(name)} has no images in {lacks}; found {found}; {NEEDED}")


def _what_is_there(entries: list[Entry], left_out: LeftOut) -> str:
    """The topmost folders that tell images apart, with how many lie in each."""
    if not entries:
        return ", ".join(("no images at all", *left_out.notes()))
    folders = Counter(_folder(entry.path) for entry in entries)
    tops: Counter[str] = Counter()
    depth = 1
    while len(tops) < 2 and depth < 4:
        tops = Counter()
        for folder, count in folders.items():
            tops["/".join(folder.split("/")[:depth])] += count
        depth += 1
    named = [
        f"{shown(top + '/')} ({images_of(count)})" if top else f"{images_of(count)} in no folder"
        for top, count in tops.most_common(MOST_FOLDERS_NAMED)
    ]
    rest = len(tops) - len(named)
    return ", ".join(named) + (f" and {rest:,} more folders" if rest > 0 else "")


def _classes(name: str, splits: Mapping[str, list[tuple[Entry, str]]]) -> tuple[str, ...]:
    classes = in_order(class_name for _, class_name in splits["train"])
    for split, members in splits.items():
        unknown = in_order({class_name for _, class_name in members} - set(classes))
        if unknown:
            raise DataError(
                f"{plain(name)}: class folder {shown(unknown[0])} is in {split}/ but not in "
                f"train/; {did_you_mean(unknown[0], classes)}both need the same class folders"
            )
    return classes


def refuse_faults(name: str, splits: Mapping[str, Sequence[tuple[Entry, object]]]) -> None:
    """Raises DataError where one of the files cannot be read, as is known without reading it."""
    faulty = [entry for members in splits.values() for entry, _ in members if entry.fault]
    if faulty:
        first = faulty[0]
        others = f" ({len(faulty):,} such files in all)" if len(faulty) > 1 else ""
        raise DataError(f"{plain(name)}: {shown(first.path)} {first.fault}{others}")


# ------------------------------------------------------------ what is to be told


def _notes_on_places(places: Sequence[_Place]) -> Iterable[str]:
    for split in SPELLINGS:
        folders = {p.split_folder for p in places if p.split == split and p.split_folder != split}
        for folder in sorted(folders):
            yield f"{shown(folder + '/')} is taken as {split}/"
    roots = sorted({place.data_root or "." for place in places})
    if len(roots) > 1:
        yield f"the splits of {named_of(roots[:3], len(roots))} are taken together"
    spelled: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for place in places:
        spelled[place.data_root, place.split, place.class_name].add(place.class_folder)
    for (_, split, class_name), folders in sorted(spelled.items()):
        if len(folders) > 1:
            yield (
                f"{len(folders)} folders of {split}/ are the class {shown(class_name)}: their "
                "names differ only in how accents are written"
            )


def _notes_on_classes(
    classes: tuple[str, ...], splits: Mapping[str, Labelled[Entry]]
) -> Iterable[str]:
    if classes != tuple(sorted(classes)):
        yield (
            f"class folders named by numbers are numbered in that order ({', '.join(classes[:3])}, "
            "…), not as text (torchvision's ImageFolder: "
            f"{', '.join(sorted(classes)[:3])}, …)"
        )
    for split, members in splits.items():
        absent = sorted(set(range(len(classes))) - {number for _, number in members})
        if absent:
            names = named_of([classes[number] for number in absent[:3]], len(absent))
            yield f"{split}/ has no images of {names}"
