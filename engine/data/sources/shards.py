"""Images in tar shards, as WebDataset has them: `train-000000.tar` with `KEY.jpg` and `KEY.cls`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from engine.contracts.errors import DataError, UnusableFileError
from engine.contracts.message_text import in_words, plain, shown
from engine.contracts.outside import read_bounded
from engine.data.sources.collector import Collected
from engine.data.sources.entries import IMAGE_SUFFIXES, Entry, LeftOut, is_system_name, readable
from engine.data.sources.limits import MOST_CLASSES, MOST_ENTRIES, MOST_IMAGE_BYTES, in_gb
from engine.data.sources.places import ShardsPlace
from engine.data.sources.source import Progress
from engine.data.sources.split_names import (
    SPELLINGS,
    Labelled,
    in_order,
    lacking,
    split_named,
    with_test,
)
from engine.data.sources.tar_files import Member, Members

SUFFIX = ".tar"
LABELS = ("cls", "json")
CLASS_FILES = ("classes.txt", "classnames.txt")
MOST_LABEL_BYTES = {"cls": 1_000, "json": 2**20}
MOST_CLASS_FILE_BYTES = 16 * 2**20
NO_LABEL = "images without a .cls or .json of their key"
SECOND = "further images of a key"
NO_FILES = "links and devices inside of shards"
NO_SPLIT = "shards that name no split"
_KEY = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)  # as WebDataset cuts names


class Sample(NamedTuple):
    """An image in a shard, with its label as it is written there."""

    split: str
    label: str
    offset: int
    size: int
    shard: int
    name: str

    @property
    def raw(self) -> str:
        """What `ShardsPlace` reads it by."""
        return f"{self.offset} {self.size} {self.shard} {self.name}"


@dataclass
class ShardListing:
    """What the shards of a folder hold."""

    samples: list[Sample] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def shards_of(folder: Path) -> tuple[str, ...]:
    """The tar files of a folder and of folders for splits in it, sorted, by their paths inside.

    None where none is a training shard, or class folders are there: what is packed beside images
    in folders is passed over.
    """
    found = shards_in(folder)
    return found if any(split_of(name) == "train" for name in found) else ()


def shards_in(folder: Path) -> tuple[str, ...]:
    """All tar files of `shards_of`, whatever they hold; none where class folders are there."""
    try:
        inner = [name for name in _names(folder, folders=True) if split_named(name)]
        if any(_names(folder / name, folders=True) for name in inner):
            return ()
        places = [("", folder), *((f"{name}/", folder / name) for name in inner)]
        found = [start + n for start, place in places for n in _names(place) if _is_shard(n)]
    except OSError:  # whoever lists the folder says why
        return ()
    return tuple(sorted(found))


def _names(folder: Path, folders: bool = False) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir() == folders]


def _is_shard(name: str) -> bool:
    return name.lower().endswith(SUFFIX) and not is_system_name(name)


def split_of(shard: str) -> str | None:
    """The split that a shard is named for: `train-000000.tar`, `imagenet-train-0001.tar`."""
    folder, _, name = shard.rpartition("/")
    words = re.split(r"[-_.]", name.removesuffix(SUFFIX))
    return next((split for word in (*words, folder) if (split := split_named(word))), None)


def list_shards(
    folder: Path,
    shards: Sequence[str],
    on_progress: Progress | None = None,
    *,
    as_split: str | None = None,
) -> ShardListing:
    """The images of all shards, in their order; of a split that is named here, whatever the shards
    are named for. Raises DataError."""
    left_out, found = LeftOut(), ShardListing()
    place = ShardsPlace(folder, tuple(shards))
    for number, shard in enumerate(shards):
        split = as_split or split_of(shard)
        if split is None:
            left_out.add(NO_SPLIT, shard)
            continue
        members = Members(folder / shard)
        found.samples += _samples(members, split, number, place, left_out)
        for name in members.others:
            left_out.add(NO_FILES, f"{shard}/{name}")
        if len(found.samples) > MOST_ENTRIES:
            raise DataError(
                f"{shown(str(folder))} holds more than {MOST_ENTRIES:,} images, more than are "
                "looked at; give fewer shards"
            )
        if on_progress is not None:
            on_progress("reading shards", number + 1, len(shards))
    found.notes = left_out.notes()
    return found


def _samples(
    members: Iterable[Member], split: str, shard: int, place: ShardsPlace, left_out: LeftOut
) -> list[Sample]:
    images: dict[str, Member] = {}
    labels: dict[str, dict[str, Member]] = {}
    for member in members:
        match = _KEY.fullmatch(member.name)
        if match is None:
            continue
        key, kind = match[1], match[2].lower()
        if f".{kind}" in IMAGE_SUFFIXES:
            if key in images:
                left_out.add(SECOND, f"{place.shards[shard]}/{member.name}")
            images.setdefault(key, member)
        elif kind in LABELS:
            labels.setdefault(key, {})[kind] = member
    found = []
    for key, image in images.items():
        label = _label(labels.get(key, {}), shard, place)
        if label is None:
            left_out.add(NO_LABEL, f"{place.shards[shard]}/{image.name}")
        else:
            found.append(Sample(split, label, image.offset, image.size, shard, image.name))
    return found


def _label(written: Mapping[str, Member], shard: int, place: ShardsPlace) -> str | None:
    """The label of a key, by `KEY.cls`, else by `label` or `cls` of `KEY.json`."""
    kind = next((each for each in LABELS if each in written), None)
    if kind is None:
        return None
    member = written[kind]
    where = shown(f"{place.shards[shard]}/{member.name}")
    if member.size > MOST_LABEL_BYTES[kind]:
        raise DataError(f"{where} has {in_gb(member.size)}, which is no label; remove it")
    content = place.read(f"{member.offset} {member.size} {shard} {member.name}")
    try:
        text = content.decode()
        value = _of_json(text) if kind == "json" else text.strip()
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} cannot be read as a label; mend or remove it") from error
    if value is not None and not value:
        raise DataError(f"{where} holds no label; mend or remove it")
    return value


def _of_json(text: str) -> str | None:
    found = json.loads(text)
    if isinstance(found, dict):
        found = next((found[name] for name in ("label", "cls") if name in found), None)
    if isinstance(found, str):
        return found.strip()
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


# ------------------------------------------------------------ from samples to a data set


def collect_shards(name: str, folder: Path, shards: Sequence[str], found: ShardListing
                   ) -> Collected:  # fmt: skip
    """The data set of a listing. Raises DataError, saying what is there instead."""
    by_split: dict[str, list[Sample]] = {split: [] for split in SPELLINGS}
    for sample in found.samples:
        by_split[sample.split].append(sample)
    if missing := lacking(by_split):
        there = ", ".join(f"{split} ({len(s):,} images)" for split, s in by_split.items() if s)
        raise DataError(
            f"{plain(name)} has no images in shards of {' and '.join(missing)}; found "
            f"{there or 'none in any'}; name shards train-000000.tar, test-000000.tar (or "
            "val-000000.tar), with KEY.jpg and KEY.cls in them"
            + "".join(f"; {note}" for note in found.notes)
        )
    numbers, classes = _classes(name, folder, by_split)
    stamps = [stamp_of(folder / shard) for shard in shards]
    splits: dict[str, Labelled[Entry]] = {
        split: tuple((entry_of(s, shards, stamps), numbers[s.label]) for s in samples)
        for split, samples in by_split.items()
        if samples
    }
    splits, told = with_test(splits)
    return Collected(name, classes, splits, (*told, *found.notes))


def stamp_of(path: Path) -> str:
    """What changes when a shard does. Raises DataError."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise DataError(f"{shown(str(path))} went away; bring it back") from error
    return f"{found.st_size} {found.st_mtime_ns}"


def entry_of(sample: Sample, shards: Sequence[str], stamps: Sequence[str]) -> Entry:
    """An image of a shard as it is listed. Raises DataError."""
    path = readable(f"{shards[sample.shard]}/{sample.name}")
    if sample.size == 0 or sample.size > MOST_IMAGE_BYTES:
        raise DataError(f"{shown(path)} has {in_gb(sample.size)}, no image; remove or replace it")
    return Entry(path, sample.raw, stamps[sample.shard])


def _classes(
    name: str, folder: Path, by_split: Mapping[str, Sequence[Sample]]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The number of each label, and the names: numbers are those of the network's outputs."""
    labels = {sample.label for samples in by_split.values() for sample in samples}
    names = _class_names(folder)
    if all(label.isascii() and label.isdecimal() and len(label) < 9 for label in labels):
        numbers = {label: int(label) for label in labels}
        count = max(numbers.values()) + 1
        if names is not None and len(names) < count:
            raise DataError(
                f"{plain(name)} has labels up to {count - 1}, but {len(names)} lines of names; "
                f"give {CLASS_FILES[0]} a line a class"
            )
        if count > MOST_CLASSES:
            raise DataError(f"{plain(name)} has labels up to {count - 1:,}, no number of a class")
        return numbers, names or tuple(str(number) for number in range(count))
    classes = names or in_order(sample.label for sample in by_split["train"])
    numbers = {label: number for number, label in enumerate(classes)}
    unknown = in_order(labels - set(classes))
    if unknown:
        raise DataError(
            f"{plain(name)}: the label {shown(unknown[0])} is of no class of the training shards"
        )
    return numbers, classes


def _class_names(folder: Path) -> tuple[str, ...] | None:
    path = next((folder / each for each in CLASS_FILES if (folder / each).exists()), None)
    if path is None:
        return None
    try:
        lines = read_bounded(path, MOST_CLASS_FILE_BYTES).decode().splitlines()
    except UnusableFileError as error:
        raise DataError(in_words(error)) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(path.name)} is no text in UTF-8; save it as that") from error
    return tuple(line.strip() for line in lines if line.strip())
