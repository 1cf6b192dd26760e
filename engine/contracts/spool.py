"""The names of files in a working folder, and what of them is read: results of finished jobs.

`SHA256.safetensors` are weights that a job needs or has made, `KEY.json` is the result of the job
KEY; `KEY.running` and `KEY.events` belong to a detached one (see `marker`). Needs no PyTorch.
"""

from __future__ import annotations

import json
from pathlib import Path

from engine.contracts.jobs import RESULTS, Result
from engine.contracts.working_folder import LOG, read_own

_MOST_RESULT_BYTES = 2**28


def snapshot_path(spool: Path, sha256: str) -> Path:
    """Where weights lie that a job needs or has made."""
    return spool / f"{sha256}.safetensors"


def marker_path(spool: Path, key: str) -> Path:
    return spool / f"{key}.running"


def events_path(spool: Path, key: str) -> Path:
    return spool / f"{key}.events"


def result_path(spool: Path, key: str) -> Path:
    return spool / f"{key}.json"


def log_path(spool: Path) -> Path:
    """Where workers and their libraries print to."""
    return spool / LOG


def read_result(path: Path) -> Result | None:
    """The result that a finished job left in a file; None where it is absent or not whole."""
    try:
        return RESULTS.decode(json.loads(read_own(path, _MOST_RESULT_BYTES)))
    except (OSError, ValueError, RecursionError):  # a FormatError is a ValueError
        return None
