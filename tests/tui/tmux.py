"""A real terminal for tests: tmux runs the app, takes keys, and shows what is on the screen."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path


class Terminal:
    """One tmux server of its own with one window; a context manager."""

    def __init__(
        self,
        command: list[str],
        *,
        width: int = 120,
        height: int = 36,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        term: str = "tmux-256color",
    ) -> None:
        self.socket = f"pe-{uuid.uuid4().hex[:12]}"
        home = {
            "PE_EXPLORE_STATE": str(cwd / "state.json"),
            "PE_EXPLORE_CONFIG": str(cwd / "config.toml"),
            "OMP_NUM_THREADS": "1",
        }
        extra = {**home, **(environment or {})}
        line = " ".join(
            [
                "env",
                *(f"{k}={shlex.quote(v)}" for k, v in extra.items()),
                *map(shlex.quote, command),
            ]
        )
        # The window stays when the command ends, so that its last words can be read.
        shell = f"{line}; echo ended with $?; exec cat"
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", str(width), "-y", str(height),
                   "-c", str(cwd), "sh", "-c", shell)  # fmt: skip
        self._tmux("set-option", "-g", "default-terminal", term)
        self._tmux("set-option", "-s", "set-clipboard", "on")

    @property
    def pid(self) -> int:
        """The process that the window runs; the app descends from it."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], capture_output=True)

    def _tmux(self, *arguments: str) -> str:
        ended = subprocess.run(
            ["tmux", "-L", self.socket, *arguments], capture_output=True, text=True, check=True
        )
        return ended.stdout

    def press(self, *keys: str) -> None:
        """Keys by tmux's names ("Enter", "Escape", "Down", "a", "?")."""
        for key in keys:
            self._tmux("send-keys", key)
            if key == "Escape":  # a key right behind it would be read as alt with that key
                time.sleep(0.2)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, *, colours: bool = False) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def clipboard(self) -> str:
        """What the app copied (by OSC 52), as tmux keeps it."""
        return self._tmux("show-buffer")

    def wait_for(self, wanted: str | Callable[[str], bool], seconds: float = 60.0) -> str:
        """The screen once it holds the text (or meets the test). Fails with the last screen."""
        holds = wanted if callable(wanted) else lambda screen: wanted in screen
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if holds(screen):
                return screen
            if time.monotonic() > deadline:
                size = self._tmux("display-message", "-p", "#{pane_width}x#{pane_height}").strip()
                raise AssertionError(f"never saw {wanted!r}; the last screen, {size}:\n{screen}")
            time.sleep(0.05)

    def quit(self) -> None:
        """Leaves the app, and stops what it still does."""
        self.press("q")
        ended = "ended with 0"
        if ended not in self.wait_for(lambda screen: ended in screen or "s Stop:" in screen):
            self.press("s")
            self.wait_for(ended)


def explorer(*arguments: str | Path) -> list[str]:
    """The command that opens the app."""
    return [sys.executable, "-m", "explorer.cli", *map(str, arguments)]
