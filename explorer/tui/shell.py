"""From the app to the shell and back, as every program at a terminal goes with Ctrl-Z."""

from __future__ import annotations

import os
import signal
from typing import Any

from textual.app import App, SuspendNotSupported


def to_shell(app: App[Any]) -> bool:
    """Stops the whole job until the shell lets it go on; False where this terminal has no shell."""
    try:
        with app.suspend():
            before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(0, signal.SIGTSTP)  # which does nothing where nobody could let it go on
            signal.signal(signal.SIGTSTP, before)
    except SuspendNotSupported:
        return False
    return True
