"""Seeing: table or tree, search, tabs, panes, screenshot, help."""

from __future__ import annotations

from pathlib import Path

from textual import work
from textual.widgets import ContentSwitcher, TabbedContent

from explorer.tui import recents
from explorer.tui.state import AppBase
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.safe_text import safe
from explorer.views.tree.filter import parse_filter

TABS = ("live", "pareto", "node", "blocks", "log")
NARROWEST, WIDEST = 30, 90  # percent of the width that the right pane may take


def wrong_filter(text: str) -> str | None:
    """What is wrong with a filter, None where it is good."""
    try:
        parse_filter(text)
    except ValueError as error:
        return str(error)
    return None


class ViewActions(AppBase):
    """What is on the screen."""

    right_percent = 45

    def action_table(self) -> None:
        switcher = self.query_one("#views", ContentSwitcher)
        self.show_view("table" if switcher.current == "tree" else "tree")

    def show_view(self, name: str) -> None:
        """Brings the tree or the table to the front, standing at the selected node."""
        self.query_one("#views", ContentSwitcher).current = name
        self.query_one(f"#{name}").focus()
        self.select(self.selected)

    @work
    async def action_search(self) -> None:
        from explorer.tui.screens.dialogs import TextDialog

        canvas = self.query_one(TreeCanvas)
        text = await self.push_screen_wait(
            TextDialog(
                "Search", "Words of a name or a tag, or figures: acc>93 macs<50 kept",
                canvas.model.filter_text, check=wrong_filter,
            )
        )  # fmt: skip
        if text is None:
            return
        canvas.set_filter(text)
        self.query_one(NodeTable).set_filter(text)
        if text:
            found = len(canvas.model.matches or ())
            self.tell(f"{found} nodes match; . and , go from one to the next")

    def action_tab(self, number: int) -> None:
        """Shows a tab; on a narrow screen, again shows the Decide card in its place."""
        tabs, name = self.query_one(TabbedContent), TABS[number - 1]
        if self.has_class("-stacked") and tabs.active == name and self.has_class("-tabs"):
            self.remove_class("-tabs")
        else:
            self.add_class("-tabs")
        tabs.active = name
        self.paint()

    def action_follow(self) -> None:
        self.follow = not self.follow
        self.tell("follows the decisions" if self.follow else "stays where you are")

    def action_resize_panes(self, percent: int) -> None:
        self.right_percent = min(max(self.right_percent + percent, NARROWEST), WIDEST)
        self.size_panes()
        recents.set_sizes({"right": self.right_percent})

    def size_panes(self) -> None:
        """Gives the panes at the right their share, where they stand beside the tree."""
        stacked = self.has_class("-stacked")
        self.query_one("#right").styles.width = None if stacked else f"{self.right_percent}%"

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        try:
            saved = self.save_screenshot(filename, path or str(Path.cwd()))
        except OSError as error:
            self.tell(f"cannot write the screenshot: {error.strerror}", "warning")
            return
        self.tell(f"saved {safe(saved)}")

    def action_help(self) -> None:
        from explorer.tui.screens.help_screen import HelpScreen

        self.push_screen(HelpScreen(self.config.key_table))
