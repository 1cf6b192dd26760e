"""Where data sets are kept on disk."""

from __future__ import annotations

import os
from pathlib import Path

from engine.contracts.errors import DataError


class NoCacheFolderError(DataError):
    """Nowhere to keep data sets."""

    code = "no-cache-folder"


def cache_folder() -> Path:
    """Where decoded data sets lie; PE_EXPLORE_CACHE overrides the usual place.

    Raises NoCacheFolderError for a user who has none: a number without a home, in a container.
    """
    override = os.environ.get("PE_EXPLORE_CACHE")
    if override:
        return Path(override)
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.join(_home(), ".cache"))
    if not base.is_absolute():
        raise NoCacheFolderError(
            "data sets are kept in a cache folder, and this user has no home folder to have it in; "
            "name one with the environment variable PE_EXPLORE_CACHE, or give a local copy of the "
            "data with --data"
        )
    return base / "pe-explore"


def _home() -> str:
    """This user's home folder, empty for one who has none. An empty HOME is none."""
    named = os.environ.get("HOME")
    if named:
        return named
    try:
        import pwd  # not on Windows

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""
