"""The command palette's source: every key of the table as a command."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from rich.text import Text
from textual.command import DiscoveryHit, Hit, Hits, Provider

from explorer.tui.keys import KEYS, Key, shown

THEME = Key("view.theme", "", "Theme", "Choose other colours", "View")  # has no key of its own


class KeyCommands(Provider):
    """Finds what the app can do by label, help and group; running one is pressing its key."""

    async def discover(self) -> Hits:
        for key, command in self._commands():
            yield DiscoveryHit(_title(key), command, text=key.label, help=key.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for key, command in self._commands():
            # A word of the label counts more than one of the help.
            score = max(matcher.match(_words(key)), 0.6 * matcher.match(key.help))
            if score > 0:
                yield Hit(score, _title(key), command, text=key.label, help=key.help)

    def _commands(self) -> Iterator[tuple[Key, Any]]:
        config = getattr(self.app, "config", None)
        table = getattr(config, "key_table", KEYS)
        for key in table:
            if key.action and key.id != "app.palette":
                yield key, partial(self.app.run_action, key.action)
        yield THEME, self.app.action_change_theme


def _words(key: Key) -> str:
    return f"{key.group}: {key.label}"


def _title(key: Key) -> Text:
    title = Text(f"{key.group}: ", "dim").append(key.label, "not dim bold")
    return title.append(f"  {shown(key.keys)}", "not dim") if key.keys else title
