"""A tree's canvas in an app of its own, for tests."""

from __future__ import annotations

import asyncio

from plain_app import PlainApp
from textual.geometry import Region
from trees import small_tree

from explorer.tui.themes import DARK, THEMES
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.tree.model import TreeModel


class CanvasApp(PlainApp):
    """One canvas, and what it said."""

    def __init__(self, model, theme_name=DARK):
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_name
        self.model = model
        self.said = []

    def compose(self):
        yield TreeCanvas(self.model)

    def on_tree_canvas_selected(self, message):
        self.said.append(message.name)

    def on_tree_canvas_activated(self, message):
        self.said.append(f"open {message.name}")


def drive(play, nodes=None, size=(120, 36)):
    """Runs `play(pilot, canvas)` in an app of its own."""

    async def run():
        app = CanvasApp(TreeModel(small_tree() if nodes is None else nodes))
        async with app.run_test(size=size) as pilot:
            canvas = app.query_one(TreeCanvas)
            canvas.focus()
            await pilot.pause()
            await play(pilot, canvas)

    asyncio.run(run())


def frame(canvas):
    """What is on the screen, as text."""
    lines = [canvas.render_line(y).text.rstrip() for y in range(canvas.size.height)]
    return "\n".join(lines).rstrip() + "\n"


def styles(canvas, y, column):
    """The style of one cell."""
    return next(iter(canvas.render_line(y).crop(column, column + 1))).style


def place(canvas, name):
    """Where a node is on the screen."""
    box = canvas._scene.box(canvas.model.number(name))
    return Region(*box).translate(-canvas.scroll_offset)
