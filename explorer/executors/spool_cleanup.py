"""The spool folder beside a store: results that wait to be stored, and detached workers."""

from __future__ import annotations

import contextlib
from pathlib import Path

from engine.contracts.jobs import Recovered, Tuned
from engine.contracts.spool import read_marker, read_result


def clear_spool(spool: Path) -> None:
    """Removes what can be made again; results that wait to be stored and the log stay.

    Nothing goes while a detached worker runs: it may still read its parent's tensors.
    """
    if not spool.is_dir():
        return
    markers = [read_marker(path) for path in spool.glob("*.running")]
    if any(marker is not None and marker.alive for marker in markers):
        return
    waiting = {_snapshot_of(path) for path in spool.glob("*.json")}
    for path in spool.glob("*.safetensors"):
        if path.stem not in waiting:
            path.unlink(missing_ok=True)
    for pattern in (".*.tmp", "*.running", "*.events"):
        for path in spool.glob(pattern):
            path.unlink(missing_ok=True)
    log = spool / "worker.log"
    if log.exists() and log.stat().st_size == 0:
        log.unlink()
    with contextlib.suppress(OSError):  # something is in it still
        spool.rmdir()


def _snapshot_of(manifest: Path) -> str | None:
    """The hash of the snapshot that a waiting result names, None for one that is not whole."""
    result = read_result(manifest)
    return result.snapshot.sha256 if isinstance(result, Recovered | Tuned) else None
