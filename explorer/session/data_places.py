"""Where a run's images lie on this machine: their digest says which they are, a path is a hint."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import cast

from engine.contracts.errors import USAGE, UserError
from engine.contracts.events import Noted
from engine.contracts.jobs import DataDescribed, DescribeData, Places
from engine.contracts.networks import DataDescription, Reading
from explorer.executors.base import Executor
from explorer.executors.errors import JobFailedError, WorkerDiedError, WorkerStartError
from explorer.session.documents import RunDocument
from explorer.session.events import Emit
from explorer.session.factories import Factories
from explorer.session.root_job import run_for_root

# What lies at a place, with at most so many training images: those of a digest, where they may be
# read so. Raises JobFailedError.
Describe = Callable[[str, str, Reading], Awaitable[DataDescription]]

_LEVELS_UP, _LONGEST_TAIL, _MOST_PLACES = 2, 3, 12
_DIGITS = 12  # of a digest, for people


# Errors that end with another place, by their codes.
DATA_CODES = ("data", "data-not-named", "data-not-found", "no-such-data", "other-data")


class DataNotFoundError(UserError):
    """A run's images are at none of the places where they could be."""

    code = "data-not-found"


class OtherDataError(UserError):
    """A place that was given for a run's images, and that holds others."""

    code = "other-data"
    exit_code = USAGE


@dataclass
class DataPlaces:
    """Where to look for images here: the place that a person gave, and folders. What was found is
    kept by its digest, for all runs of a session."""

    given: str | None = None
    folders: Sequence[Path] = ()
    found: dict[str, str] = field(default_factory=dict)


def is_path(source: str) -> bool:
    """Whether a run's data were a file or folder (their full path is kept), not a known name."""
    return os.path.isabs(source)


def full_path(source: str) -> str:
    """What `--data` says, as it is kept: a file or folder by its full path, a name as it is."""
    path = os.path.expanduser(source)
    return os.path.realpath(path) if source and os.path.exists(path) else source


def folders_of(store: Path, checkpoint: Path | None = None) -> tuple[Path, ...]:
    """The folders to look in: of the store, of the checkpoint, and the current one."""
    named = [store, checkpoint] if checkpoint else [store]
    folders = [Path(os.path.realpath(path)).parent for path in named]
    with contextlib.suppress(OSError):  # the current folder may have been deleted
        folders.append(Path(os.getcwd()))
    return tuple(dict.fromkeys(folders))


def describer(executor: Executor, emit: Emit, factories: Factories) -> Describe:
    """Has the executor look at places, with a person's code where that is allowed: the task that
    a place names, and what prepares the images."""

    async def describe(place: str, digest: str, reading: Reading) -> DataDescription:
        job = DescribeData(digest, reading)
        leave = factories.task_at(place), factories.check(reading.transforms)
        places = Places(data=place, task=leave[0], transforms=leave[1])
        result = await run_for_root(job, places, executor, emit)
        return cast(DataDescribed, result).data

    return describe


async def find(document: RunDocument, places: DataPlaces, describe: Describe) -> str:
    """Where a run's images lie here. Raises DataNotFoundError, OtherDataError, JobFailedError."""
    digest, source = document.data.digest, document.settings.data.source
    if digest not in places.found:
        if places.given is not None:
            place = await _checked(document, places.given, describe)
        elif is_path(source):
            place = await _looked_for(document, places.folders, describe)
        else:
            place = source  # a known name is the same everywhere
        places.found[digest] = place
    return places.found[digest]


def not_found(document: RunDocument) -> DataNotFoundError:
    """What is said where nothing lies at any of the places."""
    run, data, source = document.run.name, document.data, document.settings.data.source
    return DataNotFoundError(
        f"the {data.items} of run {run} are not at {source}, nor at the same place beside the "
        f"store, beside the checkpoint or in the current folder. They are {in_words(data)}: say "
        "where they lie (--data PATH)"
    )


def moved(document: RunDocument) -> Noted:
    """Word of where a run's images were found."""
    source = document.settings.data.source
    return Noted(f"the {document.data.items} of run {document.run.name} are at {source} now")


def in_words(data: DataDescription) -> str:
    """A data set as a person tells it from another."""
    return (
        f"{data.name!r} ({data.num_train:,} {data.items} for training, {data.num_validation:,} for "
        f"validation, {data.num_test:,} for test, of {len(data.classes)} classes; digest "
        f"{data.digest[:_DIGITS]})"
    )


async def _checked(document: RunDocument, given: str, describe: Describe) -> str:
    place = full_path(given)
    found = await describe(place, document.data.digest, document.reading)
    if found.digest != document.data.digest:
        run, data = document.run.name, document.data
        raise OtherDataError(
            f"--data {given} holds other {data.items} than run {run} was grown on. There are "
            f"{in_words(found)}; the run's are {in_words(data)}. Give the place of those; on "
            "others a run of its own begins (pe-explore auto MODEL --data … --new-run)"
        )
    return place


async def _looked_for(document: RunDocument, folders: Sequence[Path], describe: Describe) -> str:
    others: list[str] = []
    digest, reading = document.data.digest, document.reading
    for place in _existing(document.settings.data.source, folders):
        try:
            found = await describe(place, digest, reading)
        except JobFailedError as error:
            if isinstance(error, WorkerDiedError | WorkerStartError):
                raise  # which says nothing of what lies there
            others.append(str(error))
            continue
        if found.digest == digest:
            return place
        others.append(f"{place} holds other {document.data.items}: {in_words(found)}")
    if not others:
        raise not_found(document)
    raise DataNotFoundError(
        f"run {document.run.name} was grown on {in_words(document.data)}, which were not found: "
        f"{'; '.join(others)}. Say where they lie (--data PATH); on others a run of its own "
        "begins (pe-explore auto MODEL --data … --new-run)"
    )


def _existing(source: str, folders: Iterable[Path]) -> Iterator[str]:
    """Where a path leads, and the places that lie to these folders as it may have lain to them."""
    seen: set[str] = set()
    for place in (source, *_alike(source, folders)):
        real = os.path.realpath(place)
        if len(seen) < _MOST_PLACES and real not in seen and os.path.exists(place):
            seen.add(real)
            yield real


def _alike(source: str, folders: Iterable[Path]) -> Iterator[str]:
    parts = PurePath(source).parts[1:]
    tails = [parts[-count:] for count in range(1, min(len(parts), _LONGEST_TAIL) + 1)]
    for folder in folders:
        for up in range(_LEVELS_UP + 1):
            # A bare name is not looked for above: other projects may have one of their own there.
            for tail in tails if up == 0 else tails[1:]:
                yield os.path.join(folder, *[os.pardir] * up, *tail)
