"""The working folder of a store: made by us, for us alone, and nothing in it touched but our files.

Its name may be taken by anything: a link to a folder of models, a pipe with the name of a result.
So a folder is ours where it bears our sign, its files are opened without following links, and what
goes is named exactly. Needs no PyTorch.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from engine.contracts.errors import UserError
from engine.contracts.files import write_text_atomically

SIGN = ".made-by-pe-explore"
_SIGN_TEXT = (
    "pe-explore made this folder for work that waits to be stored in the file beside it. It goes\n"
    "by itself. While no pe-explore is running it may be removed: what is lost is done again.\n"
)
LOG = "worker.log"
PLAN = "plan.json"  # what is still to be done, beside what the store says
_PLAN_OF_ANOTHER = r"plan-[0-9]{1,18}\.json"  # of a run that waits, by its number in the store
IN_BACKGROUND = "background.running"  # which process works on the store in the background
BACKGROUND_LOG = "background.log"
_NAMED = "|".join((*map(re.escape, (LOG, PLAN, IN_BACKGROUND, BACKGROUND_LOG)), _PLAN_OF_ANOTHER))
_OURS = r"(?:[0-9a-f]{64}\.safetensors|[0-9a-f]{32}\.(?:json|running|events))"
# The last three: of older versions.
_UNIQUE = r"\.\d+-[0-9a-f]{8}|\.\d+|\.[0-9a-f]{32}|"
_UNFINISHED = rf"\.(?:{_OURS}|{_NAMED}|{re.escape(SIGN)}|[0-9a-f]{{64}})(?:{_UNIQUE})\.tmp"
_IS_OURS = re.compile(rf"{_OURS}|{_UNFINISHED}|{_NAMED}|{re.escape(SIGN)}").fullmatch
MOST_BYTES = 2**31  # of a file that is read whole; larger networks train on other machines


class WorkingFolderError(UserError):
    """The working folder is none of ours, or cannot be written to."""

    code = "working-folder"


def is_ours(name: str) -> bool:
    """Whether a file's name is one that we give, exactly."""
    return _IS_OURS(name) is not None


def make_folder(folder: Path) -> None:
    """Makes a folder that only we may enter; one that is there is all right, a link to one is not.

    Raises OSError.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise OSError(errno.ENOTDIR, "is no folder of its own", str(folder)) from None


def take_folder(folder: Path) -> None:
    """Makes the working folder, or takes up one that we made. Raises WorkingFolderError.

    Only for who holds the lock of its store. One without our sign is of an older version, where it
    holds nothing but files with names of ours; any other is left as it is.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _check_ours(folder)
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        if not os.path.lexists(folder / SIGN):
            write_text_atomically(folder / SIGN, _SIGN_TEXT)
    except OSError as error:
        with contextlib.suppress(OSError):  # a full disk; where it is empty, it goes again
            folder.rmdir()
        raise _not_writable(folder, error) from error


def _check_ours(folder: Path) -> None:
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise _foreign(folder, "is a link")
    if not stat.S_ISDIR(found.st_mode):
        raise _foreign(folder, "is no folder")
    if found.st_uid not in (os.geteuid(), _owner_of_new_files(folder.parent)):
        raise _foreign(folder, f"belongs to another user (number {found.st_uid})")
    try:
        if stat.S_IMODE(found.st_mode) & 0o077:  # made by an older version
            with contextlib.suppress(OSError):  # a file system without permissions
                folder.chmod(0o700)
        names = os.listdir(folder)
    except OSError as error:
        raise _not_writable(folder, error) from error
    if SIGN not in names and (foreign := sorted(name for name in names if not is_ours(name))):
        raise _foreign(folder, f"holds files that are not of pe-explore ({foreign[0]!r})")


def _owner_of_new_files(folder: Path) -> int:
    """Whom files belong to that we make there: on some file systems always the same user."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_uid
    except OSError:
        return os.geteuid()


def _foreign(folder: Path, why: str) -> WorkingFolderError:
    return WorkingFolderError(
        f"{folder} {why}, and pe-explore keeps unfinished work of this store there, in a folder "
        "that it makes itself. Move that away, or give the store another name or place (--store); "
        "it was left as it is"
    )


def _not_writable(path: Path, error: OSError) -> WorkingFolderError:
    return WorkingFolderError(
        f"cannot write {path} ({error.strerror}), where pe-explore keeps unfinished work. Mend "
        "that, or keep the store in another folder (--store)"
    )


# ---------------------------------------------------------------- files in it


def open_own(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of an ordinary file; links are not followed, pipes not waited for.

    Raises OSError, also for what is no ordinary file.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no ordinary file", str(path))
    return descriptor


def reading(path: Path) -> BinaryIO:
    """An ordinary file, open for reading. Raises OSError."""
    return os.fdopen(open_own(path), "rb")


def read_own(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of an ordinary file. Raises OSError, also where there is more of it."""
    with reading(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"has more than {most_bytes:,} bytes", str(path))
    return content


def write_own(path: Path, write: Callable[[Path], object]) -> None:
    """Has a file written, in a folder that is made where need be. Raises WorkingFolderError."""
    try:
        make_folder(path.parent)
        write(path)
    except OSError as error:
        raise _not_writable(path, error) from error


def remove_file(path: Path) -> None:
    """Removes a file of ours; where it cannot go, or is a folder, it stays."""
    with contextlib.suppress(OSError):
        path.unlink()


def remove_own(folder: Path, names: Iterable[str]) -> None:
    """Removes files of ours by their names, and the folder with its sign where nothing is left.

    A folder without our sign is left as it is, and so is every name that is none of ours.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, flags)
        try:
            if SIGN not in os.listdir(descriptor):
                return
            for name in filter(is_ours, names):
                with contextlib.suppress(OSError):  # gone, or a folder: not ours
                    os.unlink(name, dir_fd=descriptor)
            if os.listdir(descriptor) == [SIGN]:
                os.unlink(SIGN, dir_fd=descriptor)
                folder.rmdir()
        finally:
            os.close(descriptor)
