"""That a worker ends when its session does, however that died, and whatever the worker is at."""

from __future__ import annotations

import os
import signal
import threading

from engine.contracts import with_parent

GRACE_SECONDS = 2.0  # for the job to stop by itself once the session is gone


def end_children_too() -> None:
    """Has children of this process end with it: they do not inherit the order of its own end."""
    os.register_at_fork(after_in_child=with_parent.end_with_parent)


def end_soon() -> None:
    """Ends this process and all that it started, unless it has ended by itself in time."""
    timer = threading.Timer(GRACE_SECONDS, _end_group)
    timer.daemon = True
    timer.start()


def _end_group() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
