"""The command palette's sources: every key of the table, nodes, runs, stores, settings, themes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.command import DiscoveryHit, Hit, Hits, Provider

from explorer.tui import recents
from explorer.tui.keys import KEYS, Key, shown
from explorer.tui.main_screen import MainScreen
from explorer.tui.wanted import OtherWanted
from explorer.views.counting import counted
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe
from explorer.views.setting_views import setting_views, shown_value
from explorer.views.standing import GLYPHS, standing

_SCANNED, _MOST_NODES = 5_000, 20
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


class NodeCommands(Provider):
    """Finds the tree's nodes by their names; running one selects it."""

    async def search(self, query: str) -> Hits:
        main = getattr(self.app, "main", None)
        if not isinstance(main, MainScreen):
            return
        wanted, matcher = query.replace(" ", "").casefold(), self.matcher(query)
        names = [name for name in reversed(list(main.state.briefs)) if wanted in name.casefold()]
        for name in sorted(names[:_SCANNED], key=len)[:_MOST_NODES]:
            node = main.state.briefs[name]
            told = f"{GLYPHS[standing(node)]} {standing(node)}"
            if node.val_accuracy is not None:
                told += f" · val acc {node.val_accuracy:.2f} %"
            title = Text("Go to ", "dim").append(fitted_name(name, 50), "not dim bold")
            score = 100.0 if name.casefold() == wanted else max(0.5 * matcher.match(name), 0.1)
            yield Hit(score, title, partial(main.select, name), text=name, help=told)


class RunCommands(Provider):
    """Finds the runs of the open store by name and seed; running one opens it."""

    async def search(self, query: str) -> Hits:
        main = getattr(self.app, "main", None)
        session = main.state.session if isinstance(main, MainScreen) else None
        if session is None:
            return
        matcher, runs = self.matcher(query), session.store.runs()
        for place, run in enumerate(runs, 1):
            name = safe(run.name, 60)
            score = matcher.match(f"Run {place} {name} seed {run.seed}")
            if score > 0 and run.id != session.run.id:
                title = Text("Run: ", "dim").append(name, "not dim bold")
                title.append(f"  seed {run.seed}", "not dim")
                wanted = OtherWanted(run=run.uuid)
                told = f"Open run {place} of {len(runs)} of this store"
                yield Hit(
                    score, title, partial(self.app.post_message, wanted), text=name, help=told
                )


class StoreCommands(Provider):
    """Finds the stores that were open lately by their paths; running one opens it."""

    async def search(self, query: str) -> Hits:
        if self.app.is_web:  # which files lie on the machine is not a visitor's
            return
        matcher = self.matcher(query)
        for recent in await asyncio.to_thread(recents.recents):
            path = Path(recent.path)
            if (score := matcher.match(f"Store {recent.path}")) > 0:
                title = Text("Store: ", "dim").append(safe(path.name, 60), "not dim bold")
                wanted, told = OtherWanted(store=recent.path), safe(str(path.parent), 80)
                yield Hit(
                    score, title, partial(self.app.post_message, wanted), text=path.name,
                    help=f"Open it: {counted(recent.num_nodes, 'node')}, in {told}",
                )  # fmt: skip


class SettingCommands(Provider):
    """Finds the run's settings by name and meaning; running one shows them."""

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        main = getattr(self.app, "main", None)
        session = main.state.session if isinstance(main, MainScreen) else None
        if session is None:
            return
        for view in setting_views(session.settings):
            score = max(matcher.match(f"Setting {view.name}"), 0.5 * matcher.match(view.about))
            if score > 0:
                title = Text("Setting: ", "dim").append(view.name, "not dim bold")
                title.append(f"  {shown_value(view.value)}", "not dim")
                show = partial(self.app.run_action, "app.press('view.settings')")
                yield Hit(score, title, show, text=view.name, help=view.about)


class ThemeCommands(Provider):
    """Finds the app's looks by their names; running one puts it on."""

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name in self.app.available_themes:
            if name.startswith("pe-") and (score := matcher.match(f"Theme {name[3:]}")) > 0:
                title = Text("Theme: ", "dim").append(name[3:], "not dim bold")
                put_on = partial(setattr, self.app, "theme", name)
                yield Hit(score, title, put_on, text=name, help="Other colours, now")


def _words(key: Key) -> str:
    return f"{key.group}: {key.label}"


def _title(key: Key) -> Text:
    title = Text(f"{key.group}: ", "dim").append(key.label, "not dim bold")
    return title.append(f"  {shown(key.keys)}", "not dim") if key.keys else title
