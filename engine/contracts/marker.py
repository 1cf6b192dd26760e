"""Who works on a detached job: a file that names a process, and whether to believe it.

`KEY.running` says which process works on the job KEY, `KEY.events` what it has told (one JSON
object a line); its result goes to `KEY.json`, as always. Needs no PyTorch.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.contracts.files import write_text_atomically
from engine.contracts.spool import marker_path
from engine.contracts.working_folder import read_own

_MOST_BYTES = 4096


@dataclass(frozen=True)
class Marker:
    """The process that works on a job; `started` tells it from a later one of the same number."""

    pid: int
    started: int | None  # clock ticks since boot; None where /proc does not tell
    job: str

    def works_for(self, spool: Path) -> bool:
        """Whether that very process runs, and is a worker of this folder (or of this store, in the
        background) and this user.

        A marker may come with a store from anywhere, and whoever believes it signals the process.
        So all must agree: its start, its user, that it leads a group of its own as every worker
        does, and that it was started for this folder. What cannot be told is not believed.
        """
        if self.pid <= 1 or self.started is None or start_of(self.pid) != self.started:
            return False
        try:
            mine = _user_of(self.pid) == os.geteuid() and os.getpgid(self.pid) == self.pid
            folder = _last_argument(self.pid)
            return mine and (folder == str(spool) or os.path.samefile(folder, spool))
        except (OSError, ValueError):
            return False


def write_marker(spool: Path, key: str, job_id: str) -> None:
    """Marks this process as the one that works on the job; whole or not at all.

    Raises OSError, also where nobody could prove later that it is this process.
    """
    started = start_of(os.getpid())
    if started is None:
        raise OSError("this system does not tell when a process began: it would not be found again")
    marker = Marker(os.getpid(), started, job_id)
    write_text_atomically(marker_path(spool, key), json.dumps(asdict(marker)))


def read_marker(path: Path) -> Marker | None:
    """The marker in a file, None where there is none."""
    try:
        value = json.loads(read_own(path, _MOST_BYTES))
        pid, started, job = value["pid"], value["started"], value["job"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(pid) is not int or type(started) not in (int, type(None)) or not isinstance(job, str):
        return None
    return Marker(pid, started, job)


def start_of(pid: int) -> int | None:
    """When a running process started, in clock ticks since boot; None if it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The second field is a name in brackets, which may itself hold spaces and brackets.
            state, *fields = file.read().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in (b"Z", b"X") else int(fields[18])


def _user_of(pid: int) -> int:
    """The effective user of a process."""
    with open(f"/proc/{pid}/status", "rb") as file:
        (line,) = (line for line in file if line.startswith(b"Uid:"))
    return int(line.split()[2])


def _last_argument(pid: int) -> str:
    """The last argument of a process: of a worker, its working folder."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        arguments = file.read().split(b"\0")
    return os.fsdecode(arguments[-2]) if len(arguments) > 1 else ""
