"""Where the files of this user lie: the configuration, and what is remembered."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def own_file(variable: str, folder: Callable[[str], Path], name: str) -> Path | None:
    """The file that an environment variable names, else one in a folder of this user's.

    None for a user who has no home folder, such as a number without a name in a container.
    """
    named = os.environ.get(variable)
    if named:
        return Path(named)
    try:
        usual = folder("pe-explore")
    except RuntimeError:
        return None
    return usual / name if usual.is_absolute() else None
