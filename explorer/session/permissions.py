"""Code that this user has allowed to be called, remembered from session to session.

A small JSON file in the user's own state folder (`PE_EXPLORE_PERMISSIONS` names another): no store
brings any. One is for a function, the file it is in, and that file's SHA-256: where any of these
differs, the user is asked again.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from engine.contracts.codec import FormatError, decode, encode
from engine.contracts.errors import UnusableFileError, UserError
from engine.contracts.files import write_text_atomically
from engine.contracts.outside import read_bounded
from engine.contracts.references import Factory, source_of
from explorer.session.own_files import own_file

_MOST, _MOST_BYTES = 1_000, 2**20


@dataclass(frozen=True)
class Permission:
    """A function that may be called as it is in this very file."""

    reference: str
    file: str
    sha256: str
    allowed_at: str = ""


@dataclass(frozen=True)
class _Document:
    allowed: tuple[Permission, ...] = ()


def permissions_path() -> Path | None:
    """The file that remembers; None for a user who has no folder for such files."""
    return own_file("PE_EXPLORE_PERMISSIONS", platformdirs.user_state_path, "permissions.json")


def is_remembered(factory: Factory) -> bool:
    """Whether this user has allowed this function, in the file where it is now."""
    wanted = _permission(factory)
    return wanted is not None and any(
        (each.reference, each.file, each.sha256) == (wanted.reference, wanted.file, wanted.sha256)
        for each in _read()
    )


def remember(factory: Factory) -> None:
    """Remembers that it may be called; where that cannot be kept, it is asked about again."""
    path = permissions_path()
    new = _permission(factory, datetime.now(UTC).isoformat("T", "seconds"))
    if path is None or new is None or is_remembered(factory):
        return
    document = _Document((new, *_read())[:_MOST])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, json.dumps(encode(document), indent=1) + "\n")
        os.chmod(path, 0o600)
    except (OSError, ValueError, UserError):
        return


def how_to_forget() -> str:
    """What a person is told beside the question, empty where nothing can be remembered."""
    path = permissions_path()
    if path is None:
        return ""
    return f" A yes is remembered for this file as it is; take it out of {path} to be asked again."


def _permission(factory: Factory, allowed_at: str = "") -> Permission | None:
    file = source_of(factory.reference)
    if file is None:
        return None
    return Permission(factory.reference, str(file.resolve()), factory.sha256, allowed_at)


def _read() -> tuple[Permission, ...]:
    """What is remembered; nothing where the file is damaged, or where others may write it."""
    path = permissions_path()
    if path is None:
        return ()
    try:
        found = os.stat(path)
        if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return ()
        return decode(_Document, json.loads(read_bounded(path, _MOST_BYTES))).allowed
    except (OSError, UnusableFileError, FormatError, ValueError, RecursionError):
        return ()
