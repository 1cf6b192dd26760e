"""The files by which a worker that was left running is found again: a marker and its events.

`KEY.running` says which process works on the job KEY, `KEY.events` what it has told (one JSON
object a line); its result goes to `KEY.json`, as always. Needs no PyTorch.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.contracts.files import write_text_atomically
from engine.contracts.jobs import RESULTS, Result


@dataclass(frozen=True)
class Marker:
    """The process that works on a job; `started` tells it from a later one of the same number."""

    pid: int
    started: int | None  # clock ticks since boot; None where /proc does not tell
    job: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs; one that only waits to be reaped does not."""
        if self.started is not None:
            return start_of(self.pid) == self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it runs, as somebody else
        return True


def snapshot_path(spool: Path, sha256: str) -> Path:
    """Where weights lie that a job needs or has made."""
    return spool / f"{sha256}.safetensors"


def marker_path(spool: Path, key: str) -> Path:
    return spool / f"{key}.running"


def events_path(spool: Path, key: str) -> Path:
    return spool / f"{key}.events"


def result_path(spool: Path, key: str) -> Path:
    return spool / f"{key}.json"


def read_result(path: Path) -> Result | None:
    """The result that a finished job left in a file; None where it is absent or not whole."""
    try:
        return RESULTS.decode(json.loads(path.read_text()))
    except (OSError, ValueError):  # a FormatError is a ValueError
        return None


def write_marker(spool: Path, key: str, job_id: str) -> None:
    """Marks this process as the one that works on the job; whole or not at all."""
    marker = Marker(os.getpid(), start_of(os.getpid()), job_id)
    write_text_atomically(marker_path(spool, key), json.dumps(asdict(marker)))


def read_marker(path: Path) -> Marker | None:
    """The marker in a file, None where there is none."""
    try:
        value = json.loads(path.read_text())
        started = value["started"]
        return Marker(int(value["pid"]), None if started is None else int(started), value["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def start_of(pid: int) -> int | None:
    """When a running process started, in clock ticks since boot; None if it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The second field is a name in brackets, which may itself hold spaces and brackets.
            state, *fields = file.read().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in (b"Z", b"X") else int(fields[18])
