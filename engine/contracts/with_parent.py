"""That a process ends when the one that started it does."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(wanted: bool = True) -> None:
    """Whether the kernel kills this process as soon as its parent dies. Linux only.

    So it ends too where it stands still, or is deep in a library that lets no other thread run.
    The order belongs to the calling thread: it ends with that, and only that can take it back. The
    parent is the thread that started this process, which has to live as long as its workers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL if wanted else 0), 0, 0, 0)


def end_with(parent: int) -> None:
    """The same, and at once where the process of that number is gone by now."""
    end_with_parent()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
