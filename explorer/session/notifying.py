"""Telling a person who looks elsewhere: a bell, a terminal's notification, a program of theirs.

The program is named by the person's own configuration and by nothing else. It is started without a
shell, its words as they stand there and the news as the last one, and nobody waits for it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence

from engine.contracts.errors import UserError

_LONGEST = 200  # characters of what is told
STORE, NEWS = "PE_EXPLORE_NOTIFIED_STORE", "PE_EXPLORE_NOTIFIED_NEWS"


class NotifyError(UserError):
    """The person's program cannot be started."""

    code = "notify"


def sequence(kind: str, title: str, text: str, environ: Mapping[str, str]) -> str:
    """What a terminal has to be sent: `bell`, `osc9` or `osc777`; empty for none.

    tmux passes it on where its `allow-passthrough` is on; a bell needs no leave.
    """
    title, text = _plain(title), _plain(text)
    if kind == "bell":
        return "\a"
    if kind == "osc9":
        told = f"\x1b]9;{title}: {text}\a"
    elif kind == "osc777":
        told = f"\x1b]777;notify;{title.replace(';', ',')};{text.replace(';', ',')}\a"
    else:
        return ""
    if environ.get("TMUX"):
        return "\x1bPtmux;" + told.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return told


def _plain(text: str) -> str:
    """One line without a character that a terminal would take for more."""
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST]


def run_command(command: Sequence[str], store: str, text: str) -> None:
    """Starts the person's program with the news. Raises NotifyError."""
    if not command:
        return
    environ = {**os.environ, STORE: store, NEWS: _plain(text)}
    nothing = subprocess.DEVNULL
    try:
        # In a session of its own: it may outlive this process, and has no terminal.
        child = subprocess.Popen(
            [*command, _plain(text)], stdin=nothing, stdout=nothing, stderr=nothing, env=environ,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise NotifyError(
            f"the notify-command of the configuration cannot be started: {error}"
        ) from error
    _unattended(child)


def _unattended(child: subprocess.Popen[bytes]) -> None:
    """Nobody waits for it: it is collected when it ends, by a thread that ends with it."""
    import threading

    def collect() -> None:
        with contextlib.suppress(OSError):
            child.wait()

    threading.Thread(target=collect, daemon=True).start()
