"""From images that can be read singly to a streamed data set. Shape legend: N images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from engine.contracts.errors import DataError, SizesDifferError
from engine.contracts.loaders import FROM_TEST
from engine.contracts.message_text import plain, shown
from engine.contracts.networks import OwnValidation, Reading
from engine.contracts.references import Factory
from engine.data.checks import check_num_classes, check_one_of_each
from engine.data.sources.collector import Collected
from engine.data.sources.entries import Entry, images_of
from engine.data.sources.raster import ALPHA_MODES, DEEP_MODES
from engine.data.sources.resizing import Target
from engine.data.sources.source import EncodedImages, Progress
from engine.data.splits import (
    SPLIT_SEED,
    apart_from_validation,
    decided_by,
    halves_in_words,
    halves_of_test,
    stratified_sample,
)
from engine.data.streaming.contents import Contents, contents_of
from engine.data.streaming.data import StreamedData, StreamedImages
from engine.data.streaming.feed import Batches, Encoded, Feed, num_workers_here
from engine.data.streaming.names import Names
from engine.data.streaming.preparing import Preparation, Transforms
from engine.data.streaming.statistics import statistics_of

GREY_MODES = ("1", "L", *DEEP_MODES)
DIGEST_FORMAT = "streaming 1"


@dataclass(frozen=True)
class _Member:
    """An image that is used: where it is, and the number of its class."""

    entry: Entry
    label: int


@dataclass(frozen=True)
class Way:
    """How streamed images are prepared, by size or by a person's code; and which images decide,
    where these are a person's own."""

    target: Target | None = None
    code: Factory | None = None
    transforms: Transforms | None = None  # the code, ready to be called
    deciding: EncodedImages | None = None


def open_streamed(
    images: EncodedImages, way: Way, reading: Reading, on_progress: Progress | None
) -> StreamedData:
    """The data set with the splits that it has in memory too. Raises DataError.

    Only what is used is looked at: with a limit few of the training images.
    """
    collected = images.collected
    _check_classes(collected)
    own = way.deciding
    members = _split(collected, reading, own)
    contents = _contents(images, members, own, on_progress)
    notes = list(_notes(contents.values()))
    if own is not None:
        passed_over = len(collected.splits.get("val", ()))
        notes += [decided_by(own.collected.name, len(members["validation"]), passed_over),
                  *own.collected.notes]  # fmt: skip
    elif reading.validation_from == FROM_TEST:
        notes.append(halves_in_words(len(members["validation"]), len(members["test"])))
    channels = 1 if all(set(c.modes()) <= {*GREY_MODES} for c in contents.values()) else 3
    preparation = Preparation(channels, way.target, True, way.transforms)
    encoded = {
        split: Encoded(
            Names(m.entry.raw for m in members[split]),
            contents[split],
            own.place if own is not None and split == "validation" else None,
        )
        for split in members
    }
    shape_HWC = _shape(images, members, contents, preparation)
    feed = Feed(Batches(images.place, encoded, preparation, shape_HWC), num_workers_here())
    splits = {
        split: StreamedImages(split, _labels(members[split]), shape_HWC, feed) for split in members
    }
    digest = _digest(members, contents, way)
    statistics = statistics_of(splits["train"], digest, on_progress)
    notes.append(statistics.note)
    return StreamedData(
        name=collected.name,
        classes=collected.classes,
        mean=statistics.mean,
        std=statistics.std,
        flips=True,
        **splits,
        digest=digest,
        notes=(*collected.notes, *notes),
        shared=_num_among(contents, "test", ("train", "validation")),
        deciding_shared=_num_among(contents, "validation", ("train",)),
        transforms=way.code,
        own_validation=None if own is None else _told(own, members, contents),
    )


def _told(
    own: EncodedImages, members: Mapping[str, Sequence[_Member]], contents: Mapping[str, Contents]
) -> OwnValidation:
    """By what a person's own images that decide are known again."""
    digest = hashlib.sha256(f"{DIGEST_FORMAT} {len(members['validation'])}\n".encode())
    digest.update(_labels(members["validation"]).numpy().astype("<i8").tobytes())
    digest.update(contents["validation"].checksums_N.tobytes())
    return OwnValidation(own.collected.name, digest.hexdigest())


def _check_classes(collected: Collected) -> None:
    """Raises DataError where it cannot be a data set, in the words of one in memory."""
    name, num_classes = plain(collected.name), len(collected.classes)
    check_num_classes(name, num_classes)
    for split, members in collected.splits.items():
        check_one_of_each(split, name, len(members), num_classes)


def _split(
    collected: Collected, reading: Reading, own: EncodedImages | None
) -> dict[str, list[_Member]]:
    """The images of each split, by the rules of data in memory."""
    train_limit = reading.train_limit
    found = {
        split: [_Member(entry, label) for entry, label in members]
        for split, members in collected.splits.items()
    }
    train, validation, test = found["train"], found.get("val"), found["test"]
    if own is not None:
        (deciding,) = own.collected.splits.values()
        validation = [_Member(entry, label) for entry, label in deciding]
        check_one_of_each("val", plain(own.collected.name), len(validation), len(collected.classes))
    elif reading.validation_from == FROM_TEST:
        decide, report = halves_of_test(collected.name, _labels(test).numpy())
        validation = [test[number] for number in decide.tolist()]
        test = [test[number] for number in report.tolist()]
    elif validation is None:
        keep, held_out = apart_from_validation(collected.name, _labels(train).numpy())
        validation = [train[number] for number in held_out.tolist()]
        train = [train[number] for number in keep.tolist()]
    if train_limit is not None and train_limit < len(train):
        subset = stratified_sample(_labels(train).numpy(), train_limit, SPLIT_SEED)
        train = [train[number] for number in subset.tolist()]
    return {"train": train, "validation": validation, "test": test}


def _labels(members: Sequence[_Member]) -> torch.Tensor:
    return torch.tensor([member.label for member in members], dtype=torch.int64)


def _contents(
    images: EncodedImages,
    members: Mapping[str, Sequence[_Member]],
    own: EncodedImages | None,
    on_progress: Progress | None,
) -> dict[str, Contents]:
    here = {split: m for split, m in members.items() if own is None or split != "validation"}
    found = _contents_at(images, here, on_progress)
    if own is not None:
        found |= _contents_at(own, {"validation": members["validation"]}, on_progress)
    return {split: found[split] for split in members}


def _contents_at(
    images: EncodedImages, members: Mapping[str, Sequence[_Member]], on_progress: Progress | None
) -> dict[str, Contents]:
    entries = [member.entry for split in members.values() for member in split]
    name = images.collected.name
    whole = contents_of(name, images.where, entries, images.place, on_progress)
    found, start = {}, 0
    for split, each in members.items():
        found[split] = whole.part(start, start + len(each))
        start += len(each)
    return found


def _shape(
    images: EncodedImages,
    members: Mapping[str, Sequence[_Member]],
    contents: Mapping[str, Contents],
    preparation: Preparation,
) -> tuple[int, int, int]:
    """The height, width and channels of every image. Raises DataError where they differ."""
    if preparation.transforms is not None:
        first = members["train"][0].entry
        height, width, channels = preparation(images.place.read(first.raw), None).shape
        return height, width, channels
    if preparation.target is not None:
        size = preparation.target.image_size
        return size, size, preparation.channels
    rows_N = np.concatenate([each.rows_N for each in contents.values()])
    sizes_N = rows_N["width"].astype(np.uint64) << np.uint64(32) | rows_N["height"]
    found, first_N, counts = np.unique(sizes_N, return_index=True, return_counts=True)
    if len(found) > 1:
        entries = [member.entry for split in members.values() for member in split]
        raise _several_sizes(images.collected.name, entries, rows_N, first_N, counts)
    return int(rows_N["height"][0]), int(rows_N["width"][0]), preparation.channels


def _several_sizes(
    name: str, entries: Sequence[Entry], rows_N: np.ndarray, first_N: np.ndarray, counts: np.ndarray
) -> DataError:
    common, odd = first_N[np.argsort(-counts, kind="stable")[:2]].tolist()
    common_size, odd_size = (
        (int(rows_N["width"][number]), int(rows_N["height"][number])) for number in (common, odd)
    )
    return SizesDifferError(
        f"{plain(name)}: {shown(entries[odd].path)} is {odd_size[0]}×{odd_size[1]} pixels, but "
        f"{int(counts.max()):,} images are {common_size[0]}×{common_size[1]}, and there are "
        f"{len(counts):,} sizes in all; all images need one size: bring them to one with "
        f"--image-size {min(common_size)} (the middle square; --resize for the shorter side before)"
    )


def _notes(contents: Iterable[Contents]) -> Iterable[str]:
    """What is done to images to have them alike, by what their headers say."""
    counts: dict[str, int] = {}
    for each in contents:
        for mode, count in each.modes().items():
            counts[mode] = counts.get(mode, 0) + count

    def number(*modes: str) -> int:
        return sum(counts.get(mode, 0) for mode in modes)

    grey = number(*GREY_MODES)
    colour = sum(counts.values()) - grey
    if grey and colour:
        yield f"grey among {images_of(colour)} in colour, made three equal channels: " + images_of(
            grey
        )
    if number(*ALPHA_MODES):
        yield f"transparency dropped: {images_of(number(*ALPHA_MODES))}"
    for mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        if number(mode):
            yield f"converted from {mode} to RGB: {images_of(number(mode))}"
    if number(*DEEP_MODES):
        yield f"16 bits, scaled to 8 (65,535 becomes 255): {images_of(number(*DEEP_MODES))}"


def _digest(
    members: Mapping[str, Sequence[_Member]], contents: Mapping[str, Contents], way: Way
) -> str:
    """The SHA-256 of all that a result depends on: the bytes of each image in its place, its class,
    and what is made of it. Not of names: a folder and a zip of the same images are the same."""
    how = "" if way.target is None else way.target.name
    code = "" if way.code is None else f"{way.code.reference} {way.code.sha256}"
    digest = hashlib.sha256(f"{DIGEST_FORMAT} {how} {code}\n".encode())
    for split, each in contents.items():
        digest.update(f"{split} {len(each)}\n".encode())
        digest.update(_labels(members[split]).numpy().astype("<i8").tobytes())
        digest.update(each.checksums_N.tobytes())
    return digest.hexdigest()


def _num_among(contents: Mapping[str, Contents], split: str, others: Sequence[str]) -> int:
    """How many images of a split are, byte for byte, images of others too."""
    theirs = np.concatenate([contents[other].checksums_N for other in others])
    return int(np.isin(contents[split].checksums_N, theirs).sum())
