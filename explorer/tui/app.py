"""The explorer app: themes, keys and quitting around the main screen, and what is put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import App
from textual.command import Provider
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from explorer.executors.kinds import workers
from explorer.session import in_background
from explorer.session.open_run import Request
from explorer.tui.actions import ACTIONS
from explorer.tui.actions.grow import ask_for_candidate
from explorer.tui.actions.plot import heed as heed_plot
from explorer.tui.config import Config
from explorer.tui.context import Context
from explorer.tui.lifecycle import GoOn, Lifecycle, MakeExecutor
from explorer.tui.main_screen import MainScreen
from explorer.tui.notifications import Notifications
from explorer.tui.session_events import on_event
from explorer.tui.state import AppState
from explorer.tui.switching import Switching
from explorer.tui.themes import ACCENTS, THEMES, line_filters, pick_theme
from explorer.tui.timers import never_left_out
from explorer.tui.wanted import OtherWanted
from explorer.tui.widgets.pareto_plot import ParetoPlot
from explorer.tui.widgets.ranking_pane import RankingPane


def _commands(name: str) -> Callable[[], type[Provider]]:
    """A source of the palette; dialogs are imported after the first paint."""

    def source() -> type[Provider]:
        from explorer.tui.screens import command_palette

        found: type[Provider] = getattr(command_palette, name)
        return found

    return source


class ExplorerApp(App[None]):
    """pe-explore MODEL."""

    TITLE = "pe-explore"
    CSS_PATH = Path(__file__).with_name("app.tcss")  # a subclass elsewhere has it too
    COMMANDS: ClassVar[set[Any]] = {
        _commands(f"{of}Commands") for of in ("Key", "Node", "Run", "Setting", "Store", "Theme")
    }
    # The key table binds the palette; here Textual would bind a key of its own to it.
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        request: Request | None,
        config: Config,
        make_executor: MakeExecutor = workers,
        go_on: GoOn = in_background.start,
        *,
        plans: bool = False,
    ) -> None:
        """`plans`: whether what a new run takes is shown before it begins."""
        super().__init__()
        self.use_command_palette = True
        self.config = config
        self.state = AppState(request, config, follow=config.follow)
        self.main = MainScreen(self.state)
        self.context = Context(self.state, self.main)
        self.notifications = Notifications(self.context)
        self.lifecycle = Lifecycle(self.context, make_executor, go_on, plans=plans)
        self.switching = Switching(self.context, self.lifecycle)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = pick_theme(config, os.environ)

    def get_default_screen(self) -> Screen[Any]:
        return self.main

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return ACCENTS

    def get_line_filters(self) -> Sequence[LineFilter]:
        return line_filters(self.theme, super().get_line_filters())

    def set_timer(self, *arguments: Any, **options: Any) -> Timer:
        """A timer that ticks for certain: a new size of the terminal waits for one."""
        return never_left_out(super().set_timer(*arguments, **options))

    def on_mount(self) -> None:
        self.set_keymap(self.config.keymap)
        for problem in self.config.problems:
            self.context.notify(problem, "warning")

    # ------------------------------------------------------------ what is asked of the app

    def action_press(self, key_id: str) -> None:
        """Does what a key of the table is for, whoever pressed it."""
        self.main.catch_up()
        work = self.context.run_or_notify(lambda: ACTIONS[key_id](self.context))
        if work is not None:
            self.context.start(work)

    @on(RankingPane.BlockChosen)
    def block_chosen(self, message: RankingPane.BlockChosen) -> None:
        self.context.start(ask_for_candidate(self.context, message.path))

    @on(ParetoPlot.Chosen)
    @on(ParetoPlot.Rearranged)
    @on(ParetoPlot.Wanted)
    def plot_asks(self, message: Message) -> None:
        heed_plot(self.context, message)

    @on(MainScreen.Shown)
    def open_run(self) -> None:
        self.context.start(self.lifecycle.open_run(), group="opening", exclusive=True)

    @on(MainScreen.Happened)
    def session_event(self, message: MainScreen.Happened) -> None:
        if message.live is self.state.live:  # else of a run that was left meanwhile
            on_event(self.context, message.event, self.notifications)

    @on(OtherWanted)
    def other_wanted(self, message: OtherWanted) -> None:
        self.context.start(self.switching.open(message), group="switching")

    # ------------------------------------------------------------ leaving

    async def action_quit(self) -> None:
        self.context.start(self.lifecycle.ask_to_quit(), group="quitting", exclusive=True)

    async def release(self) -> None:
        """Ends what the app began; whoever runs it does this last, also after a crash."""
        await self.lifecycle.release()
