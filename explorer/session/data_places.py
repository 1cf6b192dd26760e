"""Where a run's images lie on this machine: their digest says which they are, a path is a hint."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import cast

from engine.contracts.errors import USAGE, UserError
from engine.contracts.events import Noted
from engine.contracts.jobs import DataDescribed, DescribeData, Places
from engine.contracts.networks import DataDescription, Reading
from engine.contracts.settings import Settings
from explorer.executors.base import Executor
from explorer.executors.errors import JobFailedError, WorkerDiedError, WorkerStartError
from explorer.session.documents import RunDocument
from explorer.session.events import Emit
from explorer.session.factories import Factories
from explorer.session.root_job import run_for_root


@dataclass(frozen=True)
class ImagesAt:
    """Where images lie here: the data, and a person's own images that decide, where these do."""

    data: str
    validation: str = ""

    def put_in(self, settings: Settings) -> Settings:
        """Settings that name these places."""
        deciding = self.validation or settings.data.validation_from
        data = replace(settings.data, source=self.data, validation_from=deciding)
        return replace(settings, data=data)


# What lies at a place, with at most so many training images: those of a digest, where they may be
# read so. Raises JobFailedError.
Describe = Callable[[ImagesAt, str, Reading], Awaitable[DataDescription]]

_LEVELS_UP, _LONGEST_TAIL, _MOST_PLACES = 2, 3, 12
_DIGITS = 12  # of a digest, for people


# Errors that end with another place, by their codes.
DATA_CODES = ("data", "data-not-named", "data-not-found", "no-such-data", "other-data")
VALIDATION_CODES = ("validation-not-found", "other-validation")  # those that another file ends


class DataNotFoundError(UserError):
    """A run's images are at none of the places where they could be."""

    code = "data-not-found"


class OtherDataError(UserError):
    """A place that was given for a run's images, and that holds others."""

    code = "other-data"
    exit_code = USAGE


class ValidationNotFoundError(UserError):
    """A person's own validation images are at none of the places where they could be."""

    code = "validation-not-found"


class OtherValidationError(UserError):
    """A file that was given for a run's own validation images, and that holds others."""

    code = "other-validation"
    exit_code = USAGE


@dataclass
class DataPlaces:
    """Where to look for images here: the places that a person gave (of the data, and of their own
    that decide), and folders. What was found is kept by its digest, for all runs of a session."""

    given: str | None = None
    folders: Sequence[Path] = ()
    found: dict[str, ImagesAt] = field(default_factory=dict)
    given_validation: str | None = None


def is_path(source: str) -> bool:
    """Whether a run's data were a file or folder (their full path is kept), not a known name."""
    return os.path.isabs(source)


def full_path(source: str) -> str:
    """What `--data` says, as it is kept: a file or folder by its full path, a name as it is."""
    path = os.path.expanduser(source)
    return os.path.realpath(path) if source and os.path.exists(path) else source


def at_full_paths(settings: Settings) -> Settings:
    """Settings whose own validation images are named by their full path."""
    file = settings.data.validation_file
    if not file:
        return settings
    return replace(settings, data=replace(settings.data, validation_from=full_path(file)))


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

    async def describe(at: ImagesAt, digest: str, reading: Reading) -> DataDescription:
        job = DescribeData(digest, reading)
        leave = factories.task_at(at.data), factories.check(reading.transforms)
        places = Places(data=at.data, task=leave[0], transforms=leave[1], validation=at.validation)
        result = await run_for_root(job, places, executor, emit)
        return cast(DataDescribed, result).data

    return describe


async def find(document: RunDocument, places: DataPlaces, describe: Describe) -> ImagesAt:
    """Where a run's images lie here. Raises DataNotFoundError, OtherDataError, JobFailedError, and
    the same of its own validation images."""
    digest, source = document.data.digest, document.settings.data.source
    if digest not in places.found:
        deciding = _deciding(document, places)
        if places.given is not None:
            at = await _checked(document, places, deciding, describe)
        elif is_path(source) or deciding != ("",):
            at = await _looked_for(document, places, deciding, describe)
        else:
            at = ImagesAt(source)  # a known name is the same everywhere
        places.found[digest] = at
    return places.found[digest]


def _deciding(document: RunDocument, places: DataPlaces) -> tuple[str, ...]:
    """Where a person's own validation images may lie; one empty place where others decide.

    Raises ValidationNotFoundError.
    """
    file, own = document.settings.data.validation_file, document.data.own_validation
    if not file or own is None:
        return ("",)
    if places.given_validation is not None:
        return (full_path(places.given_validation),)
    found = tuple(_existing(file, places.folders))
    if not found:
        raise ValidationNotFoundError(
            f"the images that decide in run {document.run.name} are not at {file}, nor at the same "
            "place beside the store, beside the checkpoint or in the current folder. They are "
            f"{deciding_in_words(document.data)}: say where they lie (pe-explore auto STORE "
            "--validation-from FILE)"
        )
    return found


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
    data = document.settings.data
    deciding = f", those that decide at {data.validation_file}" if data.validation_file else ""
    items, run = document.data.items, document.run.name
    return Noted(f"the {items} of run {run} are at {data.source} now{deciding}")


def in_words(data: DataDescription) -> str:
    """A data set as a person tells it from another."""
    return (
        f"{data.name!r} ({data.num_train:,} {data.items} for training, {data.num_validation:,} for "
        f"validation, {data.num_test:,} for test, of {len(data.classes)} classes; digest "
        f"{data.digest[:_DIGITS]})"
        + (f", decided by {deciding_in_words(data)}" if data.own_validation else "")
    )


def deciding_in_words(data: DataDescription) -> str:
    """A person's own images that decide, as they are told from others; empty where others do."""
    own = data.own_validation
    if own is None:
        return ""
    return f"the {data.num_validation:,} images of {own.name!r} (digest {own.digest[:_DIGITS]})"


async def _checked(
    document: RunDocument, places: DataPlaces, deciding: Sequence[str], describe: Describe
) -> ImagesAt:
    """The place that was given, with the first of those of the images that decide that is right."""
    given = places.given or ""
    found = document.data
    for validation in deciding:
        at = ImagesAt(full_path(given), validation)
        found = await describe(at, document.data.digest, document.reading)
        if found.digest == document.data.digest:
            return at
    _refuse_other_validation(document, found, places)
    run, data = document.run.name, document.data
    raise OtherDataError(
        f"--data {given} holds other {data.items} than run {run} was grown on. There are "
        f"{in_words(found)}; the run's are {in_words(data)}. Give the place of those; on "
        "others a run of its own begins (pe-explore auto MODEL --data … --new-run)"
    )


def _refuse_other_validation(
    document: RunDocument, found: DataDescription, places: DataPlaces
) -> None:
    """Raises OtherValidationError where a file that was given holds other images."""
    given, data = places.given_validation, document.data
    if given is None or data.own_validation == found.own_validation:
        return
    raise OtherValidationError(
        f"--validation-from {given} holds other images than decide in run {document.run.name}. "
        f"There are {deciding_in_words(found)}; the run's are {deciding_in_words(data)}. Give the "
        "file of those; with others a run of its own begins (pe-explore auto MODEL "
        "--validation-from … --new-run)"
    )


async def _looked_for(
    document: RunDocument, places: DataPlaces, deciding: Sequence[str], describe: Describe
) -> ImagesAt:
    others: list[str] = []
    digest, reading, source = document.data.digest, document.reading, document.settings.data.source
    existing = _existing(source, places.folders) if is_path(source) else (source,)
    for at in (ImagesAt(data, validation) for data in existing for validation in deciding):
        try:
            found = await describe(at, digest, reading)
        except JobFailedError as error:
            if isinstance(error, WorkerDiedError | WorkerStartError):
                raise  # which says nothing of what lies there
            others.append(str(error))
            continue
        if found.digest == digest:
            return at
        _refuse_other_validation(document, found, places)
        others.append(f"{_in_short(at)} holds other {document.data.items}: {in_words(found)}")
    if not others:
        raise not_found(document)
    also = ", --validation-from FILE" if document.data.own_validation else ""
    raise DataNotFoundError(
        f"run {document.run.name} was grown on {in_words(document.data)}, which were not found: "
        f"{'; '.join(others)}. Say where they lie (--data PATH{also}); on others a run of its own "
        "begins (pe-explore auto MODEL --data … --new-run)"
    )


def _in_short(at: ImagesAt) -> str:
    return f"{at.data} with {at.validation}" if at.validation else at.data


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
