"""A folder for work that leaves nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.contracts.errors import UserError


class NoTemporaryFolderError(UserError):
    """Nowhere to put what is needed for a moment."""

    code = "no-temporary-folder"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards. Raises NoTemporaryFolderError."""
    try:
        made = tempfile.TemporaryDirectory(prefix="pe-explore-", ignore_cleanup_errors=True)
    except OSError as error:
        raise NoTemporaryFolderError(
            f"no temporary folder can be made: {error.strerror or error}. Name one that can be "
            "written to with the environment variable TMPDIR"
        ) from error
    with made as folder:
        yield Path(folder)
