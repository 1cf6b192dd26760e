"""Where data sets are kept on disk."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where decoded data sets lie; PE_EXPLORE_CACHE overrides the usual place."""
    override = os.environ.get("PE_EXPLORE_CACHE")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pe-explore"
