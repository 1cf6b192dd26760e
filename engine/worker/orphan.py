"""That a worker ends when its session does, however that died, and whatever the worker is at."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

GRACE_SECONDS = 2.0  # for the job to stop by itself once the session is gone
_PR_SET_PDEATHSIG = 1


def end_with_parent(wanted: bool = True) -> None:
    """Whether the kernel kills this process as soon as its parent dies. Linux only.

    So it ends too where it stands still, or is deep in a library that lets no other thread run.
    The order belongs to the calling thread: it ends with that, and only that can take it back. The
    parent is the thread that started this process, which has to live as long as its workers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL if wanted else 0), 0, 0, 0)


def end_children_too() -> None:
    """Has children of this process end with it: they do not inherit the order of its own end."""
    os.register_at_fork(after_in_child=end_with_parent)


def end_soon() -> None:
    """Ends this process and all that it started, unless it has ended by itself in time."""
    timer = threading.Timer(GRACE_SECONDS, _end_group)
    timer.daemon = True
    timer.start()


def _end_group() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
