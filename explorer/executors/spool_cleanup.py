"""What becomes of a working folder when nobody works any more."""

from __future__ import annotations

import os
from pathlib import Path

from engine.contracts.jobs import Recovered, Tuned
from engine.contracts.marker import read_marker
from engine.contracts.spool import log_path, read_result
from engine.contracts.working_folder import is_ours, remove_own

_ALWAYS = (".running", ".events", ".tmp")


def clear_spool(spool: Path) -> None:
    """Removes what can be made again; results that wait to be stored and the log stay.

    Only for who holds the lock of the store. Nothing goes while a detached worker runs: it may
    still read its parent's tensors.
    """
    try:
        names = [name for name in os.listdir(spool) if is_ours(name)]
    except OSError:
        return
    markers = [read_marker(spool / name) for name in names if name.endswith(".running")]
    if any(marker is not None and marker.works_for(spool) for marker in markers):
        return
    results = [name for name in names if name.endswith(".json")]
    waiting = {_snapshot_of(spool / name) for name in results}
    gone = [name for name in names if name.endswith(_ALWAYS)]
    gone += [
        name for name in names
        if name.endswith(".safetensors") and name.partition(".")[0] not in waiting
    ]  # fmt: skip
    log = log_path(spool)
    if log.name in names and log.lstat().st_size == 0:
        gone.append(log.name)
    remove_own(spool, gone)


def _snapshot_of(path: Path) -> str | None:
    result = read_result(path)
    return result.snapshot.sha256 if isinstance(result, Recovered | Tuned) else None
