"""A widget made of lines of text in the theme's tones; what all panes but the plots have in common.

A line is a sequence of pieces (text, tone); a tone names a component class (`lines--good`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tui.drawing.cells import Line as Line
from explorer.tui.drawing.cells import fit

TONES = ("title", "dim", "good", "warning", "bad", "info", "key", "bar", "cursor", "running",
         "layer", "units")  # fmt: skip


class LinesView(ScrollView, can_focus=False):
    """Lines made for the widget's size; only those in view are drawn."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    LinesView {
        overflow-x: hidden;
        overflow-y: hidden;
        scrollbar-size-vertical: 1;
        .lines--title { color: $foreground; text-style: bold; }
        .lines--dim { color: $foreground 60%; }
        .lines--good { color: $text-success; text-style: bold; }
        .lines--warning { color: $text-warning; text-style: bold; }
        .lines--bad { color: $text-error; text-style: bold; }
        .lines--info { color: $text-primary; }
        .lines--key { color: $accent; text-style: bold; }
        .lines--bar { color: $primary; }
        .lines--running { color: $foreground; }
        .lines--layer { color: $layer; text-style: bold; }
        .lines--units { color: $units; text-style: bold; }
        .lines--cursor { color: $primary; background: $foreground; text-style: bold reverse; }
        &:light .lines--cursor { background: $surface; }
        &:ansi {
            .lines--title { color: ansi_default; text-style: bold; }
            .lines--dim { color: ansi_default; text-style: dim; }
            .lines--good { color: ansi_green; }
            .lines--warning { color: ansi_yellow; }
            .lines--bad { color: ansi_red; }
            .lines--info { color: ansi_cyan; }
            .lines--key { color: ansi_yellow; }
            .lines--bar { color: ansi_blue; }
            .lines--cursor { color: ansi_default; background: ansi_default; }
        }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._styles: dict[str, Style] = {}
        self._strips: list[Strip] | None = None

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """The lines at this size, none unless a widget has some; one that does not scroll gives at
        most `height`."""
        return ()

    def repaint(self) -> None:
        """Makes the lines anew: what they show has changed."""
        self._build()
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._build()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles, self._strips = {}, None

    def render_line(self, y: int) -> Strip:
        if self._strips is None:
            self._build()
        assert self._strips is not None
        place = self.scroll_offset.y + y
        if place < len(self._strips):
            return self._strips[place]
        return Strip.blank(self.size.width, self._style(""))

    def _build(self) -> None:
        width, height = self.size
        self._strips = []
        if width > 0 and height > 0:
            base = self._style("")
            lines = self.lines(width, height)
            if len(lines) > height and self.styles.overflow_y == "auto":
                width -= self.styles.scrollbar_size_vertical
                lines = self.lines(width, height)
            for line in lines:
                segments = [Segment(text, self._style(tone)) for text, tone in fit(line, width)]
                self._strips.append(Strip(segments).adjust_cell_length(width, base))
        self.virtual_size = Size(width, len(self._strips))

    def _style(self, tone: str) -> Style:
        style = self._styles.get(tone)
        if style is None:
            style = self.get_component_rich_style(f"lines--{tone}") if tone else self.rich_style
            self._styles[tone] = style
        return style
