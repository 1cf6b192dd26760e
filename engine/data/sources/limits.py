"""How much is taken from outside: whatever is larger is refused before it is read."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from engine.contracts.errors import DataError

MOST_IMAGE_BYTES = 256 * 2**20  # of one image's file
MOST_PIXELS = 64_000_000  # of one image
MOST_ENTRIES = 2_000_000  # of a folder or an archive
MOST_LEVELS = 40  # of folders below each other
MOST_CLASSES = 100_000
DEFLATE_RATIO = 1_032  # zlib packs nothing tighter
# The training split is copied once when the validation images are taken out of it.
COPIES = 2


def refuse_beyond_memory(
    name: str, num_bytes: int, what: str, remedy: str = "use fewer or smaller images"
) -> None:
    """Raises DataError where decoded images would not fit in the memory that is free."""
    free = available_bytes()
    if free is not None and COPIES * num_bytes > free:
        raise DataError(
            f"{name} does not fit in memory: {what} are {in_gb(num_bytes)} decoded, twice that is "
            f"needed and {in_gb(free)} are free; {remedy}, or a machine with more memory"
        )


def in_gb(num_bytes: int) -> str:
    """A number of bytes as people read it."""
    if num_bytes < 10**9:
        return f"{num_bytes / 10**6:,.1f} MB"
    return f"{num_bytes / 10**9:,.1f} GB"


def available_bytes() -> int | None:
    """The memory that this process may still take; None where the system does not say."""
    found = [_of_machine(), _of_group(), _of_process()]
    return min((value for value in found if value is not None), default=None)


def _of_machine() -> int | None:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _of_group() -> int | None:
    """What a container's limit leaves: its memory is counted apart from the machine's."""
    most, used = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    if not most or not used or not most[0].isdigit():
        return None
    given_back = sum(
        int(line.split()[1])  # files that the kernel keeps until somebody needs the room
        for line in _lines("/sys/fs/cgroup/memory.stat")
        if line.startswith(("inactive_file ", "active_file "))
    )
    return max(0, int(most[0]) - int(used[0]) + given_back)


def _of_process() -> int | None:
    """What `ulimit -v` leaves."""
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    size = _lines("/proc/self/statm")
    if most == resource.RLIM_INFINITY or not size:
        return None
    return max(0, most - int(size[0].split()[0]) * os.sysconf("SC_PAGE_SIZE"))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
