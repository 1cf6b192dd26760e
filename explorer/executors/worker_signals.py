"""Signals to a process of ours that is no child of this one, and to nobody else."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from engine.contracts.marker import Marker


def signal_group(marker: Marker, spool: Path, number: signal.Signals) -> None:
    """Sends a signal to a detached worker and all that it started; to nobody where it is gone.

    A group is named by the number of its leader, which the system gives away again once that has
    ended. So the leader is held by a handle that cannot come to mean another process, looked at
    only then, and made to stand still: it does not end by itself before the group is signalled.
    """
    if not marker.works_for(spool):  # before a handle is asked for: the number may be no process's
        return
    with contextlib.suppress(ProcessLookupError, PermissionError), _handle(marker.pid) as handle:
        if handle is not None:
            if not marker.works_for(spool):
                return
            signal.pidfd_send_signal(handle, signal.SIGSTOP)
        os.killpg(marker.pid, number)


def signal_one(marker: Marker, folder: Path, number: signal.Signals) -> None:
    """Sends a signal to the process of a marker alone; to nobody where it is gone."""
    if not marker.works_for(folder):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError), _handle(marker.pid) as handle:
        if handle is None:
            os.kill(marker.pid, number)
        elif marker.works_for(folder):
            signal.pidfd_send_signal(handle, number)


@contextlib.contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    """A handle of a process; None where the system has none."""
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # an older kernel, or forbidden in a sandbox
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)
