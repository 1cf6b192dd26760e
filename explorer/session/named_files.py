"""The files that a person names on a command line: looked at before any work begins.

What cannot be is told at once, in words for whoever typed the name.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from importlib import resources
from pathlib import Path

from engine.contracts.data_names import KNOWN_DATA
from engine.contracts.errors import UnusableFileError, UsageError
from engine.contracts.loaders import VALIDATION_FROM
from engine.contracts.near import did_you_mean, nearest
from engine.contracts.outside import beginning_of, check_regular
from engine.contracts.references import Factory, factory_here, is_task

SQLITE_MAGIC = b"SQLite format 3\x00"
_LONGEST_NAME = 255  # bytes, on every usual file system
_LONGEST_ENDING = len(".new-journal")  # of what is written beside a store for a while
_LEAST_ROOM = 2**20  # bytes: of a store without weights, with what is beside it
_MOST_NEIGHBOURS = 10_000  # names among which a similar one is looked for
_LONGEST_SHOWN = 100  # characters
_HEAD_BYTES = 64
_DATA_SUFFIXES = (".npz", ".zip")


def expanded(name: str | os.PathLike[str]) -> Path:
    """A path with the home folder put in for ~, where this user has one."""
    return Path(os.path.expanduser(name))


def is_store(path: Path) -> bool:
    """Whether the file is an SQLite one (whose, the store itself finds out)."""
    try:
        return beginning_of(path, len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except UnusableFileError:
        return False


def sample_path() -> Path:
    """The bundled network."""
    return Path(str(resources.files("sample_checkpoints") / "sample.pt"))


def model_path(model: str) -> Path:
    """The file that MODEL names. Raises UsageError with the nearest name."""
    if not model:
        raise UsageError("MODEL is empty; give a checkpoint, a store, or 'sample'")
    path = sample_path() if model == "sample" else expanded(model)
    if os.path.isdir(path):
        raise UsageError(f"{model} is a folder; give a checkpoint file or a store")
    try:
        check_regular(path)
    except UnusableFileError as error:
        if os.path.lexists(path) or not isinstance(error.__cause__, FileNotFoundError):
            raise UsageError(f"{error}; give a checkpoint file or a store") from error
        near = _near(path)
        hint = "" if near is None else f"; did you mean {near!r}?"
        raise UsageError(
            f"there is no file {_short(model)}{hint} (the bundled network is called 'sample')"
        ) from error
    _check_beginning(path)
    return path


def _check_beginning(path: Path) -> None:
    """What went wrong in a download shows at once; all else the engine looks at."""
    beginning = beginning_of(path, _HEAD_BYTES)
    if not beginning:
        raise UnusableFileError(f"{path} is empty (0 bytes); get it again")
    if beginning.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise UnusableFileError(
            f"{path} is a web page, not a checkpoint: the page of an error, perhaps; get it again"
        )


def store_path(name: Path) -> Path:
    """The store that a command works on. Raises UsageError for a file that is none."""
    path = expanded(name)
    if is_store(path):
        return path
    beside = default_store(str(name))
    hint = f"; did you mean {str(beside)!r}?" if is_store(beside) else ""
    try:
        check_regular(path)
    except UnusableFileError as error:
        raise UsageError(f"{error}{hint or '; give a store (.db)'}") from error
    raise UsageError(f"{name} is no store{hint or '; `pe-explore auto MODEL` makes one'}")


def default_store(model: str) -> Path:
    """Beside the checkpoint; in the current folder for the sample, or where that is read-only."""
    path = expanded(model)
    folder = Path() if model == "sample" or not may_write_beside(path) else path.parent
    return folder / f"{path.stem}.pex.db"


def may_write_beside(path: Path) -> bool:
    """Whether files may be made in the folder of a file."""
    return os.access(path.parent, os.W_OK)


class NoSuchDataError(UsageError):
    """Images were named where there are none."""

    code = "no-such-data"


def check_data(source: str) -> None:
    """Raises NoSuchDataError where `--data` names a path that no data set can be read from."""
    path = expanded(source)
    if os.path.isdir(path) or not source:
        return
    looks_like_path = os.sep in source or path.suffix.lower() in _DATA_SUFFIXES
    if not looks_like_path and not os.path.lexists(path) and len(source) < _LONGEST_NAME:
        if source.lower() in KNOWN_DATA:
            return
        hint = did_you_mean(source.lower(), KNOWN_DATA).rstrip()
        if is_task(source):
            hint = f"a function that makes a task is given by --task {source}"
        hint = hint or f"known names: {', '.join(KNOWN_DATA)}"
        raise NoSuchDataError(f"no data set or file is called {source!r}; {hint}")
    try:
        check_regular(path)
    except UnusableFileError as error:
        near = None if os.path.lexists(path) else _near(path)
        hint = "" if near is None else f"; did you mean {near!r}?"
        raise NoSuchDataError(f"--data: {error}{hint}") from error


def check_validation(place: str) -> None:
    """Raises NoSuchDataError where `--validation-from` names neither a way nor a file that is
    there."""
    path = expanded(place)
    if os.path.isdir(path):
        return
    try:
        check_regular(path)
    except UnusableFileError as error:
        near = None if os.path.lexists(path) else _near(path)
        beside = "" if near is None else f"did you mean {near!r}?"
        hint = did_you_mean(place, VALIDATION_FROM) or f"{beside} "
        ways = f"give {', '.join(VALIDATION_FROM)} or a file or folder of images"
        raise NoSuchDataError(f"--validation-from: {error}; {hint.lstrip()}{ways}") from error


def check_task(reference: str) -> Factory:
    """The function that `--task` names, as it is now: whoever named it has allowed it. Raises
    UsageError, ForeignFactoryError."""
    if not is_task(reference):
        raise UsageError(
            f"--task {_short(reference)}: give package.module:function, a function that makes a "
            "task"
        )
    return factory_here(reference)


def check_new_store(path: Path, num_bytes: int) -> None:
    """Raises UsageError where a store cannot be made that begins with weights of so many bytes."""
    other = "name another place with --store"
    path = Path(os.path.realpath(path))
    if os.path.islink(path):
        raise UsageError(f"{path} is a link that leads back to itself; {other}")
    if os.path.lexists(path):
        return  # whether it is one the store says
    _check_name(path, _LONGEST_ENDING, other)
    _check_folder(path, other)
    # What a job has made waits beside the store until it is stored.
    _check_room(path.parent, _LEAST_ROOM + 2 * num_bytes, other)


def check_output(path: Path, option: str) -> None:
    """Raises UsageError where a file cannot be written."""
    other = f"name another file with {option}"
    if os.path.lexists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is there and is no file; {other}")
    _check_name(path, len(".") + len(".4194304-00000000.tmp"), other)
    _check_folder(path, other)


def _check_name(path: Path, longer: int, other: str) -> None:
    if len(os.fsencode(path.name)) + longer > _LONGEST_NAME:
        raise UsageError(f"the name {path.name[:40]}… is too long to make files of; {other}")


def _check_folder(path: Path, other: str) -> None:
    folder = path.parent
    if not os.path.isdir(folder):
        raise UsageError(
            f"cannot make {path}: there is no folder {folder}. Make it first, or {other}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot make {path}: the folder {folder} may not be written to; {other}")


def _check_room(folder: Path, num_bytes: int, other: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise UsageError(
            f"the disk of {folder.absolute()} has {free / 1e6:.1f} MB left, and this needs "
            f"{num_bytes / 1e6:.1f} MB to begin with; make room, or {other}"
        )
    with contextlib.suppress(ImportError):
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and limit < num_bytes:
            raise UsageError(
                f"files may have {limit / 1e6:.1f} MB here (ulimit -f), and a store needs "
                f"{num_bytes / 1e6:.1f} MB to begin with; raise that limit"
            )


def _short(name: str) -> str:
    """A name as it was typed, but no longer than a line."""
    return repr(name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…")


def _near(path: Path) -> str | None:
    """A file beside it whose name is much like that of one that is not there."""
    folder = path.parent if os.path.isdir(path.parent) else Path()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, _MOST_NEIGHBOURS)]
        near = nearest(path.name, names)
        return None if near is None else str(path.with_name(near))
    return None
