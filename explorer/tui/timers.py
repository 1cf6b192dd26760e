"""Timers that tick once, and do."""

from __future__ import annotations

from textual.timer import Timer


def never_left_out(timer: Timer) -> Timer:
    """The timer, ticking however busy the machine is.

    Textual leaves out a tick that is late, also the only one of a timer: whoever waits for it would
    wait for ever.
    """
    timer._skip = False
    return timer
